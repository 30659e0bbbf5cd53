"""Recordings: taken over from the PBX, verified, archived and played back."""
