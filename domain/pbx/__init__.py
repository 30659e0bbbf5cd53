"""The PBX as it reports itself: typed events, and a snapshot of everything at one moment."""
