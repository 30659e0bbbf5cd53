"""Nobody waits long for a database that is busy: the work goes on, and the client is told to ask again."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from gateway.tasks import tell_failure
from gateway.web.answers import Refused

T = TypeVar("T")
PATIENCE_S = 8.0
_going_on: set[asyncio.Task[Any]] = set()


async def within(work: Coroutine[Any, Any, T], patience_s: float | None = None) -> T:
    """The result of the work. It may be asked for again: what is done already is not done twice.

    Work that has begun to write is never cut off: what is committed must be told to everybody.

    Raises:
        Refused: 503, it takes longer; it goes on all the same.
    """
    task = asyncio.create_task(work, name="request")
    _going_on.add(task)
    task.add_done_callback(_going_on.discard)
    try:
        done, _ = await asyncio.wait({task}, timeout=PATIENCE_S if patience_s is None else patience_s)
    except asyncio.CancelledError:
        task.add_done_callback(tell_failure)  # the client has left
        raise
    if not done:
        task.add_done_callback(tell_failure)
        raise Refused(503, "database_busy")
    return task.result()
