"""Queues, their agents and the callers waiting in them."""
