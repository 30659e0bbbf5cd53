"""FastAGI on real sockets: refusals, limits, and callers who leave."""

import asyncio
import contextlib
from typing import Any

import pytest

from ivr.agi import AgiError, AgiHangupError, AgiSession, AgiTimeoutError, FastAgiServer

ENVIRONMENT = b"agi_network_script: hotline\nagi_uniqueid: 1.1\n\n"


async def answered(reply: bytes, **limits: Any) -> BaseException | None:
    """What a command ends in when Asterisk says `reply`."""
    ended: asyncio.Future[BaseException | None] = asyncio.get_running_loop().create_future()

    async def handle(session: AgiSession) -> None:
        try:
            await session.set_variable("HOTLINE_LINE", "12345")
        except AgiError as error:
            ended.set_result(error)
        else:
            ended.set_result(None)

    async with FastAgiServer("127.0.0.1", 0, handle, **limits) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(ENVIRONMENT)
        assert await reader.readline() == b'SET VARIABLE HOTLINE_LINE "12345"\n'
        writer.write(reply)
        result = await asyncio.wait_for(ended, 5)
        writer.close()
    return result


USAGE = b"520-Invalid command syntax.  Proper usage follows:\n200 result=0\n520 End of proper usage.\n"


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (b"200 result=0\n", type(None)),
        (b"100 Trying...\n200 result=0\n", type(None)),
        (b"200 result=-1\n", AgiError),
        (b"510 Invalid or unknown command\n", AgiError),
        (b"511 Command Not Permitted on a dead channel\n", AgiHangupError),
        (USAGE, AgiError),
    ],
)
async def test_replies(reply: bytes, error: type) -> None:
    assert type(await answered(reply)) is error


async def test_silent_pbx_is_not_waited_for() -> None:
    assert isinstance(await answered(b"", command_timeout_s=0.05), AgiTimeoutError)


async def test_hangup_in_mid_prompt_ends_the_session() -> None:
    ended = asyncio.Event()

    async def handle(session: AgiSession) -> None:
        try:
            await session.stream_file("hotline/greeting")
        finally:
            ended.set()

    async with FastAgiServer("127.0.0.1", 0, handle) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(ENVIRONMENT)
        assert (await reader.readline()).startswith(b"STREAM FILE")
        assert server.sessions == 1
        writer.write(b"HANGUP\n")
        await asyncio.wait_for(ended.wait(), 5)
        assert await reader.read() == b""
        writer.close()


@pytest.mark.parametrize(
    "environment",
    [
        b"",
        b"agi_network_script: other\n\n",
        b"agi_arg: x\n" * 300,
        b"agi_arg: " + b"x" * 20_000 + b"\n\n",
    ],
    ids=["silence", "other script", "many lines", "long line"],
)
async def test_strange_peers_are_shown_out(environment: bytes) -> None:
    handled: list[AgiSession] = []

    async def handle(session: AgiSession) -> None:
        handled.append(session)

    async with FastAgiServer("127.0.0.1", 0, handle, environment_timeout_s=0.2) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(environment)
        with contextlib.suppress(ConnectionResetError):
            assert await asyncio.wait_for(reader.read(), 5) == b""
        writer.close()
    assert not handled


async def test_full_house_sends_callers_on_to_the_queue() -> None:
    async def handle(session: AgiSession) -> None:
        await session.answer()

    async with FastAgiServer("127.0.0.1", 0, handle, max_sessions=1) as server:
        first, one = await asyncio.open_connection("127.0.0.1", server.port)
        one.write(ENVIRONMENT)
        await first.readline()
        second, two = await asyncio.open_connection("127.0.0.1", server.port)
        assert await asyncio.wait_for(second.read(), 5) == b""
        one.close()
        two.close()
