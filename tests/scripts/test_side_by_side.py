"""Suites run side by side: each one's words in one piece, and a failure is a failure."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "side_by_side.py"


def side_by_side(*commands: str) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, str(SCRIPT), *commands]
    return subprocess.run(words, check=False, capture_output=True, text=True, timeout=60)


def slowly(word: str, code: int = 0) -> str:
    return f"sh -c 'for n in 1 2 3; do echo {word} $n; sleep 0.1; done; exit {code}'"


def test_what_each_says_stays_together() -> None:
    done = side_by_side(f"one={slowly('first')}", f"two={slowly('second')}")
    assert done.returncode == 0
    for word in ("first", "second"):
        assert "".join(f"{word} {n}\n" for n in (1, 2, 3)) in done.stdout
    assert "==> one passed in 0:00" in done.stdout


def test_a_failing_one_lets_the_others_end_and_is_named() -> None:
    done = side_by_side(f"bad={slowly('first', 3)}", "good=sh -c 'sleep 0.6; echo done'")
    assert done.returncode == 1
    assert "==> bad FAILED (exit code 3)" in done.stdout
    assert "done\n==> good passed" in done.stdout
    assert done.stdout.splitlines()[-1] == "==> FAILED: bad"


def test_told_to_end_it_ends_all_that_was_started(tmp_path: Path) -> None:
    mark = tmp_path / "pid"
    process = subprocess.Popen([sys.executable, SCRIPT, f"one=sh -c 'sleep 60 & echo $! > {mark}; wait'"])
    while not (mark.exists() and mark.read_text().strip()):
        time.sleep(0.02)
    process.terminate()
    assert process.wait(10) != 0
    child = int(mark.read_text())
    for _ in range(100):
        if not alive(child):
            return
        time.sleep(0.05)
    pytest.fail("what the command started goes on")


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    # Ended, and nobody has asked for its exit code yet.
    return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
