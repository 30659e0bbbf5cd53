"""`hotline`: the command line."""

from gateway.cli import operating, running
from gateway.cli.main import app, main

__all__ = ["app", "main", "operating", "running"]
