"""The `hotline` command line."""

from gateway.cli import accounts, asr, deploy, replay, run, watch
from gateway.cli.main import app, main

__all__ = ["accounts", "app", "asr", "deploy", "main", "replay", "run", "watch"]
