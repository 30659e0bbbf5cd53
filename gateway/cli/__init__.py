"""`hotline`: the command line."""

from gateway.cli import hearing, operating, replaying, running, watching
from gateway.cli.main import app, main

__all__ = ["app", "hearing", "main", "operating", "replaying", "running", "watching"]
