"""Alarms: configured thresholds, and what is beyond them."""
