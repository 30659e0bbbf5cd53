"""`hotline`: the command line."""

from gateway.cli import running as _running
from gateway.cli.main import app, main

__all__ = ["_running", "app", "main"]
