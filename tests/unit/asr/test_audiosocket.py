"""AudioSocket on real sockets: the protocol, strangers and nonsense."""

import asyncio
from contextlib import suppress
from uuid import UUID, uuid4

import pytest

from asr.audiosocket import AudioSocketServer, FrameSink
from tests.support.feeds import Sink


def frame(kind: int, payload: bytes = b"") -> bytes:
    return bytes([kind]) + len(payload).to_bytes(2, "big") + payload


async def talk(data: bytes, known: UUID, *, close: bool = True, **options: float) -> Sink:
    ear = Sink()

    def accept(stream: UUID) -> FrameSink | None:
        return ear if stream == known else None

    async with AudioSocketServer("127.0.0.1", 0, accept, **options) as server:  # type: ignore[arg-type]
        _, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(data)
        if close:
            writer.close()
        await asyncio.wait([ear.reason], timeout=0.5)
        writer.close()
    return ear


async def test_sound_keys_and_hangup() -> None:
    stream = uuid4()
    data = (
        frame(1, stream.bytes) + frame(0x10, b"\1\0" * 160) + frame(3, b"5") + frame(0x12, b"\2\0") + frame(0)
    )
    ear = await talk(data, stream, close=False)
    assert ear.sound == [(b"\1\0" * 160, 8_000), (b"\2\0", 16_000)]
    assert ear.digits == "5"
    assert ear.reason.result() == "hangup"


@pytest.mark.parametrize(
    ("tail", "reason"),
    [
        (b"", "closed"),
        (frame(0x10, b"\1\0")[:-1], "closed"),
        (frame(0x10, b"\1\0\1"), "error"),
        (frame(0xFF, b"\1"), "error"),
        (frame(3, b"\xff"), "error"),
        (frame(3, b"55"), "error"),
        (frame(1, bytes(16)), "error"),
        (frame(0x77, b"later") + frame(0), "hangup"),
    ],
)
async def test_how_a_stream_ends(tail: bytes, reason: str) -> None:
    stream = uuid4()
    assert (await talk(frame(1, stream.bytes) + tail, stream)).reason.result() == reason


@pytest.mark.parametrize("data", [b"", b"GET / HTTP/1.1\r\n\r\n", frame(0x10, b"\1\0"), frame(1, b"short")])
async def test_what_does_not_begin_with_an_uuid_is_refused(data: bytes) -> None:
    assert not (await talk(data, uuid4())).reason.done()


async def test_strangers_are_refused() -> None:
    ear = await talk(frame(1, uuid4().bytes) + frame(0x10, b"\1\0"), uuid4())
    assert not ear.sound
    assert not ear.reason.done()


async def test_silence_on_the_wire_ends_the_stream() -> None:
    stream = uuid4()
    ear = await talk(frame(1, stream.bytes), stream, close=False, idle_timeout=0.05)
    assert ear.reason.result() == "timeout"


async def test_leaving_ends_the_streams() -> None:
    stream = uuid4()
    ear = await talk(frame(1, stream.bytes), stream, close=False, grace=2.0)
    assert ear.reason.result() == "shutdown"


async def test_one_stream_is_heard_once() -> None:
    stream, ears = uuid4(), [Sink(), Sink()]
    waiting = list(ears)
    async with AudioSocketServer("127.0.0.1", 0, lambda _: waiting.pop(0)) as server:
        _, first = await asyncio.open_connection("127.0.0.1", server.port)
        first.write(frame(1, stream.bytes) + frame(0x10, b"\1\0"))
        await asyncio.wait_for(ears[0].heard.wait(), 2)
        reader, second = await asyncio.open_connection("127.0.0.1", server.port)
        second.write(frame(1, stream.bytes))
        with suppress(ConnectionResetError):
            assert await reader.read() == b""
        assert len(waiting) == 1
        first.close()
        second.close()


async def test_a_sink_that_fails_ends_its_stream_alone() -> None:
    class Deaf(Sink):
        def feed(self, pcm: bytes, rate: int) -> None:
            raise ValueError("deaf")

    stream, ear = uuid4(), Deaf()
    async with AudioSocketServer("127.0.0.1", 0, lambda _: ear) as server:
        _, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(frame(1, stream.bytes) + frame(0x10, b"\1\0"))
        assert await asyncio.wait_for(ear.reason, 2) == "error"
        writer.close()
