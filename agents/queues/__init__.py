"""Queues and the callers who wait in them."""
