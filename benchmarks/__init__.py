"""Performance, measured as ratios against a baseline in the same run (docs/benchmarks.md). `make bench`."""
