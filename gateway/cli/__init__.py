"""The `hotline` command line."""

from gateway.cli import accounts, asr, calls, deploy, replay, run, status, tokens, watch
from gateway.cli.main import app, main

__all__ = ["accounts", "app", "asr", "calls", "deploy", "main", "replay", "run", "status", "tokens", "watch"]
