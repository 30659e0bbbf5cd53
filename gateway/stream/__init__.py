"""The websocket stream: snapshot, sequenced deltas, resume."""
