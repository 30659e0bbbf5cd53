"""Messages between the pool and its workers: length-prefixed MessagePack over the worker's pipes.

MessagePack rather than pickle: the worst a faulty worker can do is send a message that is refused.
"""

import struct

import msgspec

from asr.config import AsrConfig
from asr.engine import EngineRequest, EngineSegment

LENGTH = struct.Struct("!I")
MAX_MESSAGE = 256 << 20
"""In bytes; more than the largest batch of the longest stretches. Anything longer is a broken peer."""


class Hello(msgspec.Struct, frozen=True, tag=True):
    """The first message to a worker: make this engine."""

    config: AsrConfig
    factory: str
    """`module:name` of a callable that takes the configuration and returns an `Engine`."""


class Stretch(msgspec.Struct, frozen=True):
    """One stretch; `samples` are float32 in the machine's byte order."""

    samples: bytes
    request: EngineRequest


class Work(msgspec.Struct, frozen=True, tag=True):
    """Transcribe these together."""

    batch: list[Stretch]


class Ready(msgspec.Struct, frozen=True, tag=True):
    """The engine is loaded and warm."""


class Done(msgspec.Struct, frozen=True, tag=True):
    """One text per stretch."""

    texts: list[list[EngineSegment]]


class Fault(msgspec.Struct, frozen=True, tag=True):
    """The engine raised; the worker itself is fine."""

    error: str


def pack(message: Hello | Work | Ready | Done | Fault) -> bytes:
    """Encode a message, prefixed with its length."""
    body = msgspec.msgpack.encode(message)
    return LENGTH.pack(len(body)) + body


def unpack_request(body: bytes) -> Hello | Work:
    """Decode a message to a worker. Raises msgspec.DecodeError."""
    return msgspec.msgpack.decode(body, type=Hello | Work)


def unpack_reply(body: bytes) -> Ready | Done | Fault:
    """Decode a message from a worker. Raises msgspec.DecodeError."""
    return msgspec.msgpack.decode(body, type=Ready | Done | Fault)
