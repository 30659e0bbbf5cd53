"""Who takes live audio in tests."""

import asyncio
import time
import uuid


class AudioSocketEar:
    """A minimal AudioSocket server: the audio of each stream by its UUID."""

    def __init__(self) -> None:
        self.streams: dict[uuid.UUID, bytearray] = {}
        self.first: dict[uuid.UUID, float] = {}
        self.ended: set[uuid.UUID] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        who = uuid.UUID(int=0)
        try:
            while True:
                kind, high, low = await reader.readexactly(3)
                payload = await reader.readexactly(high << 8 | low)
                if kind == 0x01:
                    who = uuid.UUID(bytes=payload)
                    self.streams[who] = bytearray()
                elif kind == 0x10:
                    self.first.setdefault(who, time.monotonic())
                    self.streams[who] += payload
                elif kind == 0x00:
                    break
        except asyncio.IncompleteReadError:
            pass
        finally:
            self.ended.add(who)
            writer.close()


class Sink:
    """A `FrameSink` that keeps what it is fed."""

    def __init__(self) -> None:
        self.sound: list[tuple[bytes, int]] = []
        self.heard = asyncio.Event()
        self.digits = ""
        self.reason: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    def feed(self, pcm: bytes, rate: int) -> None:
        self.sound.append((pcm, rate))
        self.heard.set()

    def dtmf(self, digit: str) -> None:
        self.digits += digit

    async def ended(self, reason: str) -> None:
        self.reason.set_result(reason)
