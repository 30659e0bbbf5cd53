"""HTTP: the API, the built browser app, health and metrics."""
