"""Alarms: configured threshold rules and the service that evaluates them."""
