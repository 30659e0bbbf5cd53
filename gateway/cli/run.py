"""`hotline run` and `hotline demo`."""

import asyncio
import contextlib
import errno
import itertools
import json
import os
import resource
import signal
import sys
import threading
from collections.abc import AsyncIterator, Coroutine
from enum import StrEnum
from typing import Annotated, Any, TypeVar

import structlog
import typer

from gateway.cli.main import ConfigOption, app, err, out, read_settings
from gateway.logs import configure
from gateway.memory import keep_settled
from gateway.settings import Settings
from gateway.storage.database import DatabaseError
from workorders.directories.reference import ReferenceDataError
from workorders.extraction.classifier import ClassifierError

log = structlog.get_logger(__name__)

DEMO_CALL_DEADLINE_S = 240.0
GRACE_S = 20.0
"""From SIGTERM to the end of the process, at most."""
Result = TypeVar("Result")


class PbxKind(StrEnum):
    """Which PBX a standalone gateway starts."""

    AUTO = "auto"
    ASTERISK = "asterisk"
    DEMO = "demo"


@app.command()
def run(
    config: ConfigOption = None,
    pbx: Annotated[
        PbxKind, typer.Option(help="The PBX to start if none is configured; auto: Asterisk if possible.")
    ] = PbxKind.AUTO,
) -> None:
    """Start the gateway and run until Ctrl-C or SIGTERM.

    If the configuration names a PBX, that one is used. Otherwise the gateway starts its own, plays a recorded
    call now and then, and delivers the work orders to a demo receiver.
    """
    settings = read_settings(config)
    configure(settings.log.level, settings.log.format)
    try:
        _until_done(_run(settings, pbx))
    except KeyboardInterrupt:
        raise typer.Exit(130) from None


@app.command()
def demo(
    calls: Annotated[int, typer.Option(min=1, max=1000, help="How many calls to play.")] = 3,
    exit_: Annotated[bool, typer.Option("--exit", help="Exit once their orders are delivered.")] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON object per line on standard output.")
    ] = False,
    config: ConfigOption = None,
    pbx: Annotated[PbxKind, typer.Option(help="The PBX to start.")] = PbxKind.AUTO,
) -> None:
    """Play recorded calls through a separate gateway and print each delivered work order.

    Exit code 1 if an order has not arrived after a while. Progress goes to standard error.
    """
    settings = read_settings(config)
    configure("WARNING" if settings.log.level == "INFO" else settings.log.level, settings.log.format)
    missing = _until_done(_demo(settings, pbx, calls, exit_, as_json))
    if missing:
        err.print(f"{missing} of {calls} work orders did not arrive")
        raise typer.Exit(1)


def _until_done(work: Coroutine[Any, Any, Result]) -> Result:
    """Run `work`; report an unusable data file or an address in use in words rather than a traceback."""
    try:
        return asyncio.run(work)
    except (ReferenceDataError, ClassifierError, DatabaseError) as error:
        err.print(str(error), markup=False)
        raise typer.Exit(2) from None
    except OSError as error:
        if error.errno not in (errno.EADDRINUSE, errno.EADDRNOTAVAIL, errno.EACCES):
            raise
        err.print(
            f"cannot listen: {error.strerror or error}\nIs another gateway running? Otherwise set http.host,"
            " http.port, http.stream_port, agi.port or audiosocket.port in hotline.toml.",
            markup=False,
        )
        raise typer.Exit(1) from None


def _say(text: str) -> None:
    err.print(f"==> {text}")


def _leave_within(seconds: float) -> None:
    """End the process after that time, whatever it still waits for: what was not stored is in the spool."""

    def leave() -> None:
        sys.stderr.write("not stopped in time: leaving\n")
        os._exit(1)

    timer = threading.Timer(seconds, leave)
    timer.daemon = True
    timer.start()


@contextlib.asynccontextmanager
async def _for_many_clients() -> AsyncIterator[None]:
    """As many open files as the system lets us have (1,024 is the usual start), and memory kept settled."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    collecting = asyncio.create_task(keep_settled())
    try:
        yield
    finally:
        collecting.cancel()


def _told() -> asyncio.Event:
    """Set by SIGINT or SIGTERM; from then on the process has its grace."""
    told = asyncio.Event()

    def tell() -> None:
        if not told.is_set():
            err.print("stopping")
            _leave_within(GRACE_S)
            told.set()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, tell)
    return told


async def _until_told() -> None:
    async with _for_many_clients():
        await _told().wait()


async def _run(settings: Settings, kind: PbxKind) -> None:
    if settings.pbx:
        from gateway.standby import serve_until

        def up(web_port: int) -> None:
            out.print(f"hotline-gateway is up: http://{settings.http.host}:{web_port}/")

        async with _for_many_clients():
            await serve_until(
                settings, _told(), say=_say, on_up=up, on_standby=lambda: _say("another serves: standing by")
            )
        return
    from gateway.standalone import CALLS, run_standalone

    async with run_standalone(settings, kind=kind.value, say=_say) as standalone:
        running = standalone.running
        out.print(
            f"hotline-gateway is up: http://{settings.http.host}:{running.web_port}/  ({standalone.kind})"
        )
        out.print("demo accounts (all with the same password):")
        for username, password in standalone.accounts:
            out.print(f"  {username:<10} {password}")
        every = settings.demo.call_every_s
        if every:
            out.print(f"a recorded call comes in every {every:.0f} s; stop with Ctrl-C")

        async def keep_calling() -> None:
            if running.pool is not None:
                await running.pool.wait_ready(300)
            for call in itertools.cycle(CALLS):
                with contextlib.suppress(Exception):
                    await standalone.place(call)
                await asyncio.sleep(every)

        caller = asyncio.create_task(keep_calling()) if every else None
        await _until_told()
        if caller is not None:
            caller.cancel()


async def _demo(settings: Settings, kind: PbxKind, wanted: int, leave: bool, as_json: bool) -> int:
    from gateway.standalone import CALLS, run_standalone

    # A demo run stands alone: it shares neither ports nor data with a running gateway.
    http = settings.http.model_copy(update={"port": 0, "stream_port": 0})
    own = settings.model_copy(
        update={"http": http, "data_dir": settings.data_dir / "demo", "workorders": [], "pbx": []}
    )
    async with run_standalone(own, kind=kind.value, say=_say) as standalone:
        _say(f"{standalone.kind}, page at http://{settings.http.host}:{standalone.running.web_port}/")
        if standalone.running.pool is not None:
            await standalone.running.pool.wait_ready(300)
        receiver = standalone.receiver
        printed = 0
        for index in range(wanted):
            _say(f"call {index + 1} of {wanted}")
            call = CALLS[index % len(CALLS)]
            await standalone.place(call)
            async with receiver.arrived:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(
                        receiver.arrived.wait_for(lambda: len(receiver.orders) > index),  # noqa: B023
                        DEMO_CALL_DEADLINE_S,
                    )
            for order in receiver.orders[printed:]:
                _show(order, as_json)
            printed = len(receiver.orders)
        if not leave:
            await _until_told()
        return wanted - min(wanted, printed)


def _show(order: dict[str, Any], as_json: bool) -> None:
    if as_json:
        sys.stdout.write(json.dumps(order, ensure_ascii=False) + "\n")
        sys.stdout.flush()
        return
    call = order.get("call", {})
    out.print(
        f"\n工单 {order.get('id', '')}  线路 {call.get('line', '')}  来电 {call.get('caller_number', '')}"
    )
    for name, field in order.get("fields", {}).items():
        label = field.get("label", name)
        out.print(f"  {label}：{field.get('value')}  ({field.get('confidence', 0):.2f})")
    for said in order.get("transcript", []):
        out.print(f"    {said.get('side', ''):<7}{said.get('text', '')}")
