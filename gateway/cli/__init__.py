"""The `hotline` command line."""

from gateway.cli import accounts, asr, calls, deploy, figures, orders, replay, run, status, tokens, watch
from gateway.cli.main import app, main

__all__ = [
    "accounts",
    "app",
    "asr",
    "calls",
    "deploy",
    "figures",
    "main",
    "orders",
    "replay",
    "run",
    "status",
    "tokens",
    "watch",
]
