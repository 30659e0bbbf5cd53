"""HTTP: the API, the first page, health and metrics."""
