"""What is done when things happen: listening, drafting, finishing. The edges around the pure core."""
