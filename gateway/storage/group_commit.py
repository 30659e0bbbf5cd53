"""Writes that are asked for at the same moment share one transaction.

A transaction for each costs many times its statements, most of all where the disk must confirm it.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

TOGETHER = 100
"""Items in one transaction, at most."""


class GroupCommit(Generic[Item, Result]):
    """Takes items from many at once and writes them, in the order in which they were asked for."""

    def __init__(
        self,
        name: str,
        write: Callable[[Sequence[Item]], Awaitable[Sequence[Result]]],
        write_alone: Callable[[Item, Exception | None], Awaitable[Result | Exception]],
    ) -> None:
        """Write by these two; `name` is that of the task.

        `write`: all of them in one transaction; a result for each. Raises where none is written.
        `write_alone`: one that was not written; with the error, where it cannot be another's fault.
        """
        self._name = name
        self._write = write
        self._write_alone = write_alone
        self._waiting: deque[tuple[Item, asyncio.Future[Result]]] = deque()
        self._writing: asyncio.Task[None] | None = None

    async def submit(self, item: Item) -> Result:
        """Write it, beside others that wait as well; return its result after the commit."""
        done: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, done))
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write_waiting(), name=self._name)
        return await done

    async def _write_waiting(self) -> None:
        while self._waiting:
            batch = [self._waiting.popleft() for _ in range(min(TOGETHER, len(self._waiting)))]
            results: Sequence[Result | Exception]
            try:
                results = await self._write([one for one, _ in batch])
            except Exception as error:
                # Of several, it is not known whose fault it is: each has its own try.
                own = error if len(batch) == 1 else None
                results = [await self._write_alone(one, own) for one, _ in batch]
            for (_, done), result in zip(batch, results, strict=True):
                if done.done():
                    continue  # nobody waits for it any more
                if isinstance(result, Exception):
                    done.set_exception(result)
                else:
                    done.set_result(result)
