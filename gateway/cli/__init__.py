"""The `hotline` command line."""

from gateway.cli import accounts, hearing, operating, replaying, running, watching
from gateway.cli.main import app, main

__all__ = ["accounts", "app", "hearing", "main", "operating", "replaying", "running", "watching"]
