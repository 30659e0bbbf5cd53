"""What is known of callers, and who may see it whole: one rule (`eyes`) for all that is shown (`views`)."""
