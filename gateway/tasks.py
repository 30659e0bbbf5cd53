"""Tasks that nobody waits for: each tells of its own failure."""

import asyncio
from typing import Any

import structlog

log = structlog.get_logger(__name__)


def tell_failure(task: "asyncio.Future[Any]") -> None:
    """A done callback: log the failure of a task whose result nobody may read."""
    if task.cancelled() or (error := task.exception()) is None:
        return
    name = task.get_name() if isinstance(task, asyncio.Task) else ""
    log.error("task_failed", task=name, exc_info=error)
