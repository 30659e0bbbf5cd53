"""`hotline watch` as a process of its own, against a gateway on a real Asterisk with a call in progress."""

import asyncio
import fcntl
import os
import pty
import re
import signal
import struct
import sys
import termios
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest
import pytest_asyncio

from agents.accounts.identity import Role
from domain.frames import ServerFrame, Snapshot
from gateway.client import View
from gateway.runtime import Runtime
from gateway.settings import load_settings
from gateway.settings.load import EXAMPLE
from tests.support.gateway import gateway_on
from tests.support.scenario import ScenarioAsterisk
from tests.support.sip.softphone import Softphone

pytestmark = [pytest.mark.asterisk, pytest.mark.asyncio(loop_scope="session")]

PASSWORD = "a password of this test"
CALLER = "13962875041"
HOTLINE = (sys.executable, "-c", "from gateway.cli import main; main()")
ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


@pytest_asyncio.fixture(loop_scope="session")
async def running(scenario_asterisk: ScenarioAsterisk, tmp_path: Path) -> AsyncIterator[Runtime]:
    async with gateway_on(load_settings(EXAMPLE), [scenario_asterisk.pbx], tmp_path / "data") as gateway:
        await gateway.accounts.create_account("ban", PASSWORD, Role.SUPERVISOR, None)
        async with asyncio.timeout(10):
            while gateway.links["main"].state.phase != "up":  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        yield gateway


@asynccontextmanager
async def conversation(asterisk: ScenarioAsterisk, running: Runtime) -> AsyncIterator[None]:
    options = asterisk.options
    async with (
        Softphone(options.sip_port, "1001", options.phone_passwords["1001"]),
        Softphone(options.sip_port, "outside", address="127.0.0.2") as caller,
    ):
        call = await caller.dial("12345", CALLER)
        async with asyncio.timeout(15):
            while not any(one.talking for one in running.pbx_states["main"].live_calls):  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        yield
        await call.hang_up()


def arguments(running: Runtime, *more: str) -> list[str]:
    return [*HOTLINE, "watch", "--url", f"http://127.0.0.1:{running.web_port}", "--user", "ban", *more]


ENVIRONMENT = os.environ | {"HOTLINE_PASSWORD": PASSWORD, "COLUMNS": "150", "LINES": "50"}


def heed_interrupts() -> None:
    """As in a terminal: a test run in the background ignores Ctrl-C, and its children would inherit that."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


class Terminal:
    """A pseudo-terminal of 150 columns; `text` is all that was written to it."""

    def __init__(self) -> None:
        self._ours, self.theirs = pty.openpty()
        fcntl.ioctl(self.theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 150, 0, 0))
        self.text = ""

    def __enter__(self) -> "Terminal":
        asyncio.get_running_loop().add_reader(self._ours, self._read)
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.get_running_loop().remove_reader(self._ours)
        for one in (self._ours, self.theirs):
            os.close(one)

    def _read(self) -> None:
        self.text += os.read(self._ours, 65536).decode(errors="replace")

    @property
    def screen(self) -> str:
        """What was drawn last, without colours."""
        return ESCAPES.sub("", self.text.rpartition("\x1b[H")[2])

    async def until(self, true: Callable[[str], object]) -> str:
        try:
            async with asyncio.timeout(20):
                while not true(self.screen):  # noqa: ASYNC110
                    await asyncio.sleep(0.05)
        except TimeoutError:
            raise AssertionError(f"it never showed; the screen: {self.screen}") from None
        return self.screen


async def test_the_board_is_printed_once(scenario_asterisk: ScenarioAsterisk, running: Runtime) -> None:
    async with conversation(scenario_asterisk, running):
        process = await asyncio.create_subprocess_exec(
            *arguments(running, "--once"),
            env=ENVIRONMENT, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        told, failed = await asyncio.wait_for(process.communicate(), 30)
    shown = told.decode()
    assert process.returncode == 0, failed.decode()
    assert "\x1b" not in shown
    (call,) = [line for line in shown.splitlines() if CALLER in line]
    assert re.search(r"12345.*12345.*通话.*1001.*0:0\d", call), call
    (agent,) = [line for line in shown.splitlines() if "王芳" in line]
    assert "通话" in agent
    assert "q12345" in shown


async def test_the_board_lives_in_a_terminal(scenario_asterisk: ScenarioAsterisk, running: Runtime) -> None:
    with Terminal() as terminal:
        process = await asyncio.create_subprocess_exec(
            *arguments(running), env=ENVIRONMENT | {"TERM": "xterm-256color"},
            stdin=terminal.theirs, stdout=terminal.theirs, stderr=terminal.theirs, start_new_session=True,
            preexec_fn=heed_interrupts,
        )  # fmt: skip
        await terminal.until(lambda screen: "王芳" in screen and CALLER not in screen)
        async with conversation(scenario_asterisk, running):
            screen = await terminal.until(
                lambda screen: any(CALLER in line and "通话" in line for line in screen.splitlines())
            )
            assert any("王芳" in line and "通话" in line for line in screen.splitlines())
            await terminal.until(
                lambda screen: any(CALLER in line and "0:02" in line for line in screen.splitlines())
            )
        await terminal.until(lambda screen: "已结束" in screen)
        process.send_signal(signal.SIGINT)
        assert await asyncio.wait_for(process.wait(), 10) == 130
        await asyncio.sleep(0.1)
        assert "\x1b[?1049l" in terminal.text, "the terminal is given back"
        assert "Traceback" not in terminal.text


async def test_programs_get_frames_as_lines(scenario_asterisk: ScenarioAsterisk, running: Runtime) -> None:
    process = await asyncio.create_subprocess_exec(
        *arguments(running, "--json"), env=ENVIRONMENT, stdout=asyncio.subprocess.PIPE, limit=1 << 20,
        preexec_fn=heed_interrupts,
    )  # fmt: skip
    assert process.stdout is not None
    seen: list[ServerFrame] = []
    view = View()

    async def follow(true: Callable[[], object]) -> None:
        async with asyncio.timeout(20):
            while not true():
                seen.append(msgspec.json.decode(await process.stdout.readline(), type=ServerFrame))  # type: ignore[union-attr]
                view.apply(seen[-1])

    await follow(lambda: any(isinstance(frame, Snapshot) for frame in seen))
    async with conversation(scenario_asterisk, running):
        await follow(lambda: any(call.talking for call in view.of("calls").values()))
        (call,) = view.of("calls").values()
        assert (call.caller.number, call.agent) == (CALLER, "1001")
    await follow(lambda: all(call.ended_at for call in view.of("calls").values()))
    process.send_signal(signal.SIGINT)
    assert await asyncio.wait_for(process.wait(), 10) == 130


async def test_without_a_terminal_the_board_says_what_to_ask_for(running: Runtime) -> None:
    process = await asyncio.create_subprocess_exec(
        *arguments(running), env=ENVIRONMENT, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    told, failed = await asyncio.wait_for(process.communicate(), 30)
    assert (process.returncode, told) == (1, b"")
    assert "--once" in failed.decode()


async def test_who_is_not_let_in_is_told(running: Runtime) -> None:
    process = await asyncio.create_subprocess_exec(
        *arguments(running, "--once"), env=ENVIRONMENT | {"HOTLINE_PASSWORD": "wrong"},
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    told, failed = await asyncio.wait_for(process.communicate(), 30)
    assert (process.returncode, told) == (1, b"")
    assert "check username and password" in " ".join(failed.decode().split())
