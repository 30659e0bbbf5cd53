"""The vocabulary every package shares: calls, queues, agents, orders, transcripts, commands and facts.

Structs and pure rules; no I/O.
"""
