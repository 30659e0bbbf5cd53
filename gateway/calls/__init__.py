"""The call tracker: PBX events in, new state and facts out. Pure."""
