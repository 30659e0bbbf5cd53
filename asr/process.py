"""The pool's side of a worker process."""

import asyncio
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import Self

import msgspec
import numpy as np

from asr.config import AsrConfig
from asr.engine import EngineError, EngineJob, EngineSegment
from asr.wire import LENGTH, MAX_MESSAGE, Done, Fault, Hello, Ready, Stretch, Work, pack, unpack_reply

_BOOT = "import sys; sys.path[:] = sys.argv[1:]; from asr.worker import main; main()"


class WorkerLost(Exception):  # noqa: N818 - an event that is dealt with, not an error for callers
    """The process died, hung or broke the protocol; it must be killed and replaced."""


class Worker:
    """One process, handling one request at a time."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @classmethod
    async def start(cls, config: AsrConfig, factory: str, timeout: float) -> Self:
        """Start the process and wait for its engine. Raises WorkerLost, EngineError or OSError."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            _BOOT,
            *sys.path,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            start_new_session=True,  # Ctrl-C in a terminal only reaches the gateway
            env=os.environ | {"OMP_WAIT_POLICY": "PASSIVE"},  # idle threads sleep instead of spinning
        )
        worker = cls(process)
        try:
            reply = await worker._exchange(pack(Hello(config, factory)), timeout)
            if isinstance(reply, Fault):
                raise EngineError(reply.error.removeprefix("EngineError: "))
            if not isinstance(reply, Ready):
                raise WorkerLost("answered out of turn")
        except BaseException:
            await worker.kill()
            raise
        return worker

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def alive(self) -> bool:
        return self._process.returncode is None

    async def ask(self, batch: Sequence[EngineJob], timeout: float) -> list[list[EngineSegment]]:
        """Transcribe each stretch. Raises WorkerLost, EngineError (the engine raised)."""
        stretches = [
            Stretch(np.ascontiguousarray(job.samples, dtype=np.float32).tobytes(), job.request)
            for job in batch
        ]
        reply = await self._exchange(pack(Work(stretches)), timeout)
        if isinstance(reply, Fault):
            raise EngineError(reply.error)
        if not isinstance(reply, Done):
            raise WorkerLost("answered out of turn")
        if len(reply.texts) != len(batch):
            raise WorkerLost(f"gave {len(reply.texts)} texts for {len(batch)} stretches")
        return reply.texts

    async def _exchange(self, message: bytes, timeout: float) -> Ready | Done | Fault:
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        try:
            async with asyncio.timeout(timeout):
                stdin.write(message)
                await stdin.drain()
                (length,) = LENGTH.unpack(await stdout.readexactly(LENGTH.size))
                if length > MAX_MESSAGE:
                    raise WorkerLost(f"announced a reply of {length} bytes")
                return unpack_reply(await stdout.readexactly(length))
        except TimeoutError:
            raise WorkerLost(f"no answer within {timeout:.1f} s") from None
        except (asyncio.IncompleteReadError, ConnectionError):
            raise WorkerLost("ended without an answer") from None
        except msgspec.DecodeError as error:
            raise WorkerLost(f"answered nonsense: {error}") from error

    async def kill(self) -> None:
        """Kill the process, whatever it is doing."""
        if self.alive:
            with suppress(ProcessLookupError):
                self._process.kill()
        if self._process.stdin is not None:
            self._process.stdin.close()
        await asyncio.shield(self._process.wait())
