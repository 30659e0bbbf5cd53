"""Figures of queues and agents for the current day."""
