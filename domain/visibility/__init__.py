"""Who may see what of callers: one policy (`policy`) for all that is shown (`redact`)."""
