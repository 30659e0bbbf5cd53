"""chan_websocket's side of the protocol on real sockets: sound, keys, strangers and nonsense."""

import asyncio
from uuid import UUID, uuid4

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus
from websockets.typing import Subprotocol

from asr.audiosocket import FrameSink
from asr.mediasocket import MediaSocketServer, parse_event
from tests.support.feeds import Sink

MEDIA = [Subprotocol("media")]


async def talk(messages: list[str | bytes], **options: float) -> Sink:
    ear, stream = Sink(), uuid4()

    def accept(asked: UUID) -> FrameSink | None:
        return ear if asked == stream else None

    async with MediaSocketServer("127.0.0.1", 0, accept, **options) as server:  # type: ignore[arg-type]
        url = f"ws://127.0.0.1:{server.port}/media?feed={stream}"
        async with connect(url, subprotocols=MEDIA, proxy=None) as socket:
            for message in messages:
                await socket.send(message)
            if options:
                await asyncio.wait_for(ear.reason, 2)
        await asyncio.wait_for(ear.reason, 2)
    return ear


async def test_sound_and_keys() -> None:
    ear = await talk(
        [
            "MEDIA_START connection_id:hotline-media channel:WebSocket/x format:slin16",
            b"\1\0" * 320,
            "DTMF_END digit:5 duration_ms:80",
            "DTMF_END digit:evil",
            "SOMETHING_NEW that later versions say",
            b"\2\0",
        ]
    )
    assert ear.sound == [(b"\1\0" * 320, 16_000), (b"\2\0", 16_000)]
    assert ear.digits == "5"
    assert ear.reason.result() == "hangup"


async def test_sound_and_keys_where_the_channel_speaks_json() -> None:
    ear = await talk(
        [
            '{"event": "MEDIA_START", "connection_id": "hotline-media", "channel": "WebSocket/x",'
            ' "format": "slin16", "optimal_frame_size": 640, "ptime": 20, "channel_variables": {"a": "b"}}',
            b"\1\0" * 320,
            '{"event": "DTMF_END", "channel_id": "1.1", "digit": "5", "duration_ms": 80}',
            ' {"event": "DTMF_END", "digit": 6}',
            '{"event": "DTMF_END", "digit": "evil"}',
            '{"event": "DTMF_END", "digit": ["7"]}',
            '{"event": ["DTMF_END"], "digit": "7"}',
            "[" * 60_000,
            '{"event":' * 7_000,
            '{"digit": ' + "9" * 5_000 + "}",
            "{",
            b"\2\0",
        ]
    )
    assert ear.sound == [(b"\1\0" * 320, 16_000), (b"\2\0", 16_000)]
    assert ear.digits == "56"
    assert ear.reason.result() == "hangup"


@pytest.mark.parametrize(
    "message", [b"\1\0\1", "MEDIA_START format:opus", '{"event": "MEDIA_START", "format": "opus"}']
)
async def test_nonsense_ends_the_stream(message: str | bytes) -> None:
    assert (await talk([message])).reason.result() == "error"


async def test_silence_on_the_wire_ends_the_stream() -> None:
    assert (await talk([], idle_timeout=0.05)).reason.result() == "timeout"


@pytest.mark.parametrize("path", ["/media", "/media?feed=1", "/other?feed={}", "/media?feed={}"])
async def test_strangers_get_no_connection(path: str) -> None:
    async with MediaSocketServer("127.0.0.1", 0, lambda _: None) as server:
        with pytest.raises(InvalidStatus) as refused:
            await connect(
                f"ws://127.0.0.1:{server.port}{path.format(uuid4())}", subprotocols=MEDIA, proxy=None
            )
        assert refused.value.response.status_code == 403


def test_events() -> None:
    assert parse_event("MEDIA_XOFF") == ("MEDIA_XOFF", {})
    assert parse_event("") == ("", {})
    assert parse_event("A b:c:d e") == ("A", {"b": "c:d"})
