"""A worker process: one engine, one batch at a time, over stdin and stdout. It ends with its parent."""

import importlib
import os
import queue
import signal
import sys
import threading
from contextlib import suppress
from typing import IO

import numpy as np

from asr.engine import Engine, EngineJob
from asr.wire import LENGTH, Done, Fault, Hello, Ready, Work, pack, unpack_request

_NICENESS = 5
"""The gateway's event loop has priority where cores are few."""


def main() -> None:
    """Serve until stdin ends: when the pool closes it, or when the parent dies for any reason."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is handled by the parent
    with suppress(OSError):
        os.nice(_NICENESS)
    # Libraries print: keep the pipe for messages and send their output to the log.
    replies = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)
    inbox: queue.SimpleQueue[Hello | Work] = queue.SimpleQueue()
    threading.Thread(target=_read, args=(sys.stdin.buffer, inbox), daemon=True).start()
    engine: Engine | None = None
    while True:
        message = inbox.get()
        try:
            if isinstance(message, Hello):
                engine = _make(message)
                reply: Ready | Done | Fault = Ready()
            elif engine is None:
                reply = Fault("there is no engine yet")
            else:
                batch = [
                    EngineJob(np.frombuffer(one.samples, dtype=np.float32), one.request)
                    for one in message.batch
                ]
                reply = Done(engine.transcribe(batch))
        except Exception as error:
            reply = Fault(f"{type(error).__name__}: {error}")
        _write(replies, pack(reply))


def _make(hello: Hello) -> Engine:
    module, _, name = hello.factory.partition(":")
    engine: Engine = getattr(importlib.import_module(module), name)(hello.config)
    return engine


def _read(stream: IO[bytes], inbox: "queue.SimpleQueue[Hello | Work]") -> None:
    """Read requests in a thread of its own, so that the parent's end is noticed even during a request."""
    try:
        while len(head := stream.read(LENGTH.size)) == LENGTH.size:
            (length,) = LENGTH.unpack(head)
            inbox.put(unpack_request(stream.read(length)))
    finally:
        os._exit(0)


def _write(stream: IO[bytes], data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[stream.write(view) :]
