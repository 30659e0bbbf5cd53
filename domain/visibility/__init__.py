"""Who may see what about callers: one rule (`policy`), applied to everything shown (`redact`)."""
