"""What several suites share: peers, stages, sample data."""
