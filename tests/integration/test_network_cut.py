"""The network between gateway and PBX is cut in mid-call; a way of our own stands between the two."""

import asyncio
from types import TracebackType
from typing import Self

import pytest

from gateway.models.call import CallState, EndReason
from gateway.settings import load_settings
from gateway.settings.load import EXAMPLE
from tests.integration.scenario import ScenarioAsterisk, Stage

pytestmark = [pytest.mark.asterisk, pytest.mark.asyncio(loop_scope="session")]


class Wire:
    """A TCP way to `port` that can be cut: refused and reset, or silent as a pulled cable is."""

    def __init__(self, port: int) -> None:
        self._to = port
        self._open = asyncio.Event()
        self._open.set()
        self._refuses = False
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        self.port: int = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for writer in self._writers:
            writer.transport.abort()

    def cut(self, *, silent: bool) -> None:
        self._open.clear()
        self._refuses = not silent
        if not silent:
            for writer in self._writers:
                writer.transport.abort()

    def mend(self) -> None:
        self._refuses = False
        self._open.set()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        if self._refuses:
            writer.transport.abort()
            return
        there, back = await asyncio.open_connection("127.0.0.1", self._to)
        self._writers.add(back)
        for source, sink in ((reader, back), (there, writer)):
            task = asyncio.create_task(self._relay(source, sink))
            self._tasks.add(task)

    async def _relay(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        try:
            while data := await source.read(65536):
                await self._open.wait()
                sink.write(data)
                await sink.drain()
        except ConnectionError:
            pass
        finally:
            sink.transport.abort()


@pytest.mark.parametrize(("silent", "seconds"), [(False, 1.0), (True, 4.0)])
async def test_what_happened_during_the_cut_is_found_afterwards(
    scenario_asterisk: ScenarioAsterisk, silent: bool, seconds: float
) -> None:
    async with Wire(scenario_asterisk.options.ami_port) as wire:
        quick = {"port": wire.port, "ping_interval_s": 0.5, "action_timeout_s": 1.0, "reconnect_max_s": 0.5}
        through = scenario_asterisk.pbx.model_copy(update=quick)
        async with (
            Stage(scenario_asterisk, load_settings(EXAMPLE), through) as stage,
            stage.agent("1001") as agent,
            stage.outside() as out,
        ):
            leaving = await out.dial("12345", "13962875016")
            first = (await stage.talking("1001")).id
            waiting = await out.dial("12347", "13962875017")
            await stage.until(lambda: len(stage.tracker.calls) == 2)
            await stage.until(lambda: stage.tracker.floor.queues["shangxian"].waiting)
            (second,) = set(stage.tracker.calls) - {first}

            wire.cut(silent=silent)
            await leaving.hang_up()
            coming = await out.dial("12345", "13962875018")
            await agent.incoming(2)
            await stage.until(lambda: stage.link.state.phase != "up")
            await asyncio.sleep(seconds)
            assert set(stage.tracker.calls) == {first, second}
            wire.mend()
            await stage.until(lambda: stage.link.state.phase == "up")
            await stage.until(lambda: first not in stage.tracker.calls)

            (third,) = set(stage.tracker.calls) - {second}
            await stage.until(lambda: stage.tracker.calls[third].state is CallState.TALKING)
            await stage.same_picture()
            assert stage.tracker.calls[second].state is CallState.QUEUED
            assert stage.tracker.calls[third].agent == "1001"
            assert [(call.id, call.end_reason) for call in stage.ended] == [(first, EndReason.UNSEEN)]
            await coming.hang_up()
            await waiting.hang_up()
            await stage.until(lambda: not stage.tracker.calls)
        reasons = {call.id: call.end_reason for call in stage.ended}
        assert reasons[second] is EndReason.ABANDONED_QUEUE
        assert reasons[third] is EndReason.COMPLETED
