"""What is done when things happen: listening, drafting, finishing, delivering. The edges around the pure core."""
