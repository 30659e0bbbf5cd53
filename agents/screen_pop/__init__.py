"""The screen-pop: what an agent is shown about a caller when the phone rings."""
