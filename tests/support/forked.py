"""`hotline` in a process of its own that need not import anything anew: forked off one that has.

The imports take longer than all the rest of a start, and the tests start gateways by the dozen.
"""

import asyncio
import multiprocessing
import os
import signal
import sys
import warnings
from collections.abc import Mapping, Sequence
from multiprocessing.context import ForkServerProcess
from pathlib import Path

_SERVER = multiprocessing.get_context("forkserver")
_SERVER.set_forkserver_preload(["gateway.cli", "gateway.standby", "gateway.app"])


class ForkedHotline:
    """`hotline ARGUMENTS …`, its output in a file; it ends with the test process."""

    def __init__(self, arguments: Sequence[str], log: Path) -> None:
        log.touch()
        self._process: ForkServerProcess = _SERVER.Process(
            target=_run, args=([str(one) for one in arguments], str(log), dict(os.environ)), daemon=True
        )
        self._process.start()

    @property
    def returncode(self) -> int | None:
        """Its exit status; negative: the signal that killed it; `None`: it runs."""
        return self._process.exitcode

    async def wait(self) -> None:
        """Until it has ended."""
        while self._process.exitcode is None:  # noqa: ASYNC110 - a join would take a thread each
            await asyncio.sleep(0.02)

    def send_signal(self, number: signal.Signals) -> None:
        """A signal to it alone."""
        assert self._process.pid is not None
        os.kill(self._process.pid, number)

    def kill(self) -> None:
        """SIGKILL."""
        self._process.kill()


def _run(arguments: list[str], log: str, environment: Mapping[str, str]) -> None:
    """In the new process: what a shell and the interpreter's start would have done, then the command."""
    os.environ.clear()
    os.environ.update(environment, PYTHONWARNINGS="default")
    warnings.resetwarnings()
    warnings.simplefilter("default")
    target = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.dup2(target, 1)
    os.dup2(target, 2)
    os.close(target)
    sys.argv = ["hotline", *arguments]
    from gateway.cli import main

    main()
