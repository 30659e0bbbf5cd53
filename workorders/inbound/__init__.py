"""What comes back from work-order systems."""
