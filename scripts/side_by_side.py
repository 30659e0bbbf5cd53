"""Run commands side by side; what each said is printed whole when it ends, never mixed with another's.

python scripts/side_by_side.py unit='make unit' browser='make browser'

While they run, a line now and then tells how far they are. Exits with 1 where any of them failed.
"""

import os
import re
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from typing import IO

TOLD_EVERY_S = 30.0
PERCENT = re.compile(rb"\[ *(\d+)%\]")


@dataclass
class Run:
    """One command, what it has said so far, and when it began."""

    name: str
    process: subprocess.Popen[bytes]
    output: IO[bytes]
    began: float

    @property
    def took(self) -> str:
        """Minutes and seconds."""
        minutes, seconds = divmod(int(time.monotonic() - self.began), 60)
        return f"{minutes}:{seconds:02}"

    def said(self) -> bytes:
        """All of it, without moving the place at which the command goes on writing."""
        file = self.output.fileno()
        return os.pread(file, os.fstat(file).st_size, 0)

    def progress(self) -> str:
        """How far it is, if it says so as pytest does."""
        found = PERCENT.findall(self.said())
        return f"{self.name} {found[-1].decode()} %" if found else self.name


def start(name: str, command: str) -> Run:
    """In a process group of its own, so that it ends with all that it started."""
    output = tempfile.TemporaryFile()  # noqa: SIM115 - it lives as long as the run
    process = subprocess.Popen(
        shlex.split(command),
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    return Run(name, process, output, time.monotonic())


def end(runs: list[Run]) -> None:
    """Whatever still runs, with all that it started."""
    for run in runs:
        if run.process.poll() is None:
            os.killpg(run.process.pid, signal.SIGTERM)
    for run in runs:
        run.process.wait()


def told(run: Run) -> bool:
    """Print what a command that has ended said; whether it succeeded."""
    code = run.process.returncode
    verdict = "passed" if code == 0 else f"FAILED (exit code {code})"
    print(f"\n==> {run.name}", flush=True)
    sys.stdout.buffer.write(run.said())
    print(f"==> {run.name} {verdict} in {run.took}", flush=True)
    return code == 0


def main(arguments: list[str]) -> int:
    """`NAME=COMMAND …`"""
    # Noted, not acted upon at once: a command that has just begun must be ended too.
    told_to_end: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, _: told_to_end.append(number))
    runs = [start(name, command) for name, _, command in (one.partition("=") for one in arguments)]
    print(f"==> side by side: {', '.join(run.name for run in runs)}", flush=True)
    failed: list[str] = []
    going, spoke = list(runs), time.monotonic()
    while going and not told_to_end:
        time.sleep(0.2)
        for run in [one for one in going if one.process.poll() is not None]:
            going.remove(run)
            if not told(run):
                failed.append(run.name)
        if going and time.monotonic() - spoke >= TOLD_EVERY_S:
            spoke = time.monotonic()
            print(f"    {going[0].took} {', '.join(run.progress() for run in going)}", flush=True)
    end(runs)
    if told_to_end:
        return 128 + told_to_end[0]
    if failed:
        print(f"==> FAILED: {', '.join(failed)}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
