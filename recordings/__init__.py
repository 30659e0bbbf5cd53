"""Recordings: taken over from the PBX, checked, kept, played back."""
