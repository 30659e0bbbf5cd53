"""The `hotline` command line."""

from gateway.cli import accounts, asr, calls, deploy, figures, replay, run, status, watch
from gateway.cli.main import app, main

__all__ = ["accounts", "app", "asr", "calls", "deploy", "figures", "main", "replay", "run", "status", "watch"]
