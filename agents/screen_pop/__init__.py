"""The screen-pop: what an agent is shown of a caller when the phone rings."""
