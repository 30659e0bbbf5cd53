"""The day's figures of queues and agents."""
