"""What every room speaks of: calls, queues, agents, orders, transcripts, commands, facts.

Structs and rules, no I/O.
"""
