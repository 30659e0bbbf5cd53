"""The `hotline` command line."""

from gateway.cli import accounts, asr, calls, deploy, orders, replay, run, status, tokens, watch
from gateway.cli.main import app, main

__all__ = [
    "accounts",
    "app",
    "asr",
    "calls",
    "deploy",
    "main",
    "orders",
    "replay",
    "run",
    "status",
    "tokens",
    "watch",
]
