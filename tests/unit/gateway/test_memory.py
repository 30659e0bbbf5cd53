"""What is new is collected soon, what has stayed only when everything is looked through."""

import asyncio
import gc
import weakref
from typing import Any

import pytest

from gateway import memory


class Ring:
    """Only the collector frees it."""

    def __init__(self) -> None:
        self.me = self


async def until(true: Any) -> None:
    async with asyncio.timeout(20):
        while not true():  # noqa: ASYNC110 - no event to wait for
            await asyncio.sleep(0.01)


async def test_rings_are_freed_soon_and_those_that_stayed_later(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "LOOK_S", 0.01)
    monkeypatch.setattr(memory, "EVERY_S", 0.05)
    before = gc.get_threshold()
    task = asyncio.create_task(memory.keep_settled())
    try:
        await until(lambda: gc.get_threshold()[2] == memory.NEVER)
        ring = Ring()
        young = weakref.ref(ring)
        del ring
        await until(lambda: young() is None)

        stays = Ring()
        old = weakref.ref(stays)
        settled = weakref.ref(Ring())
        await until(lambda: settled() is None)
        del stays
        other = weakref.ref(Ring())
        await until(lambda: other() is None)
        assert old() is not None
        monkeypatch.setattr(memory, "COUNT_S", 0.0)
        monkeypatch.setattr(memory, "SMALL", 0)
        monkeypatch.setattr(memory, "GROWN", 0)
        await until(lambda: old() is None)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        gc.unfreeze()
    assert gc.get_threshold() == before
