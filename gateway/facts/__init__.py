"""The one door for facts: recorded once, passed on to whoever registered for their type."""
