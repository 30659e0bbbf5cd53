"""`hotline replay`: the support tool for past calls."""

import asyncio
import gzip
import io
import re
import sys
import time
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar, cast

import msgspec
import typer
from rich.progress import Progress

from gateway.cli.main import ConfigOption, app, err, read_settings
from gateway.settings import Settings

if TYPE_CHECKING:
    from gateway.replay.capture import Counts
    from gateway.replay.timeline import Timeline

Piece = TypeVar("Piece")
GZIP = b"\x1f\x8b"
BIG = 4 << 20
"""Files from this size on show a progress bar."""


@app.command()
def replay(
    file: Annotated[
        Path | None,
        typer.Argument(
            help="An AMI log (telnet, nc), a capture (pcap file, tcpdump -A or -X, tshark follow) or the"
            " journal as JSON lines, optionally .gz; - for stdin."
        ),
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(help="Read the journal from then on: 2026-01-31T08:00, or 90m, 8h, 2d ago."),
    ] = None,
    call: Annotated[str, typer.Option(help="Only calls whose id contains this.")] = "",
    pbx: Annotated[str, typer.Option(help="Name of the PBX in an AMI log.")] = "main",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object per call and line.")] = False,
    config: ConfigOption = None,
) -> None:
    """Replay a recorded log as the gateway would have seen it live, and print each call's timeline.

    Exit code 2 if there is nothing to read, or nothing of a call in it. Progress goes to standard error.
    """
    settings = read_settings(config)
    if (file is None) == (since is None):
        err.print("give either FILE or --since")
        raise typer.Exit(2)
    from gateway.replay.fold import ReplayError

    try:
        if since is not None:
            asyncio.run(_since(settings, _instant(since), call, as_json))
        elif str(file) == "-":
            _file(io.BufferedReader(cast(io.RawIOBase, sys.stdin.buffer)), 0, settings, pbx, call, as_json)
        elif file is not None:
            with file.open("rb") as source:
                _file(source, file.stat().st_size, settings, pbx, call, as_json)
    except (ReplayError, OSError, EOFError, ValueError) as error:
        err.print(str(error))
        raise typer.Exit(2) from None


def _instant(text: str) -> float:
    """Parse `90m`, `8h`, `2d` ago, or an ISO instant (local time unless it has a zone), to POSIX seconds."""
    if ago := re.fullmatch(r"(\d{1,6})([smhd])", text):
        unit = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}[ago[2]]
        return time.time() - timedelta(**{unit: int(ago[1])}).total_seconds()
    try:
        return datetime.fromisoformat(text).astimezone().timestamp()
    except (ValueError, OverflowError, OSError):
        raise ValueError(f"--since {text!r} is not a time: write 2026-01-31T08:00, or 90m, 8h, 2d") from None


def _file(
    source: io.BufferedReader, size: int, settings: Settings, pbx: str, wanted: str, as_json: bool
) -> None:
    from gateway.replay import pcap
    from gateway.replay.capture import Counts
    from gateway.replay.fold import facts_of, facts_of_packets
    from gateway.replay.timeline import Timelines

    counts, timelines = Counts(), Timelines()
    profiles = [agent.model() for agent in settings.agents]
    unpacked: io.BufferedReader[Any] = (
        io.BufferedReader(gzip.GzipFile(fileobj=source)) if _starts(source, GZIP) else source
    )
    with _progress(shown=size >= BIG) as progress:
        task = progress.add_task("replay", total=size or None)

        def told(pieces: Iterable[Piece]) -> Iterator[Piece]:
            for number, piece in enumerate(pieces):
                if size and number % 5000 == 0:
                    progress.update(task, completed=source.tell())
                yield piece

        configured = [line.model() for line in settings.lines]
        if _starts(unpacked, *pcap.MAGIC):
            facts = facts_of_packets(told(pcap.segments(unpacked)), pbx, configured, profiles, counts)
        else:
            lines = (line.decode("utf-8", "replace") for line in unpacked)
            facts = facts_of(told(lines), pbx, configured, profiles, counts)
        for fact in facts:
            if (over := timelines.add(fact)) is not None:
                _show(over, wanted, as_json, counts)
                timelines.take(over.call.id)
    for timeline in timelines.open():
        _show(timeline, wanted, as_json, counts)
    err.print(
        f"{counts.messages} messages, {counts.events} events folded,"
        f" {counts.passed_over} other lines passed over"
        + (
            f", {counts.repeated} events of other connections to the same PBX left out"
            * bool(counts.repeated)
        )
    )
    if counts.torn:
        err.print(f"packets are missing in {counts.torn} places: what they carried is not in the picture")
    for word in _cautions(counts):
        err.print(word)


def _cautions(counts: "Counts") -> Iterator[str]:
    """What cannot be known from the capture, in plain words."""
    if counts.dateless and not counts.stamped:
        yield (
            "the capture has times of day without dates: `tcpdump -tttt` and `timestampevents=yes` give both"
        )
    if counts.timeless:
        yield "nothing in the log says when anything happened: times and lengths are not known"
    elif counts.unstamped:
        yield (
            "the log has no time stamps: times are those in the channels' unique ids and app_queue's own"
            " seconds, lengths are at least what is shown; `timestampevents=yes` in manager.conf gives them"
        )
    if counts.old:
        yield (
            "the PBX is an Asterisk before 12: which calls belong together is taken from who dialled whom,"
            " and transfers are told as far as it names them"
        )
    if counts.begun:
        yield f"calls that had begun before the capture: {counts.begun}; what happened before is not known"
    if counts.untold:
        yield (
            f"channels that had begun before the capture, first mentioned late in it: {counts.untold};"
            " they are not in the picture"
        )


def _progress(shown: bool = True) -> Progress:
    """Show progress on standard error, unless the timelines scroll through the same terminal."""
    return Progress(
        console=err, transient=True, redirect_stdout=False, disable=not shown or sys.stdout.isatty()
    )


def _starts(file: "io.BufferedReader[Any]", *magic: bytes) -> bool:
    return file.peek(4).startswith(magic)


async def _since(settings: Settings, begin: float, wanted: str, as_json: bool) -> None:
    from gateway.factories import open_database
    from gateway.replay.timeline import Timelines
    from gateway.storage.journal_reader import JournalReader

    database, timelines, count = open_database(settings), Timelines(), 0
    try:
        await database.require_newest()
        with _progress() as progress:
            task = progress.add_task("replay", total=time.time() - begin)
            async for fact in JournalReader(database).since(begin, call=wanted):
                count += 1
                if count % 5000 == 0:
                    progress.update(task, description=f"replay: {count} facts", completed=fact.at - begin)
                if (over := timelines.add(fact)) is not None:
                    _show(over, wanted, as_json)
                    timelines.take(over.call.id)
    finally:
        await database.close()
    for timeline in timelines.open():
        _show(timeline, wanted, as_json)
    err.print(
        f"{count} facts since {datetime.fromtimestamp(begin).astimezone().isoformat(timespec='seconds')}"
    )


def _show(timeline: "Timeline", wanted: str, as_json: bool, counts: "Counts | None" = None) -> None:
    call = timeline.call
    if wanted not in call.id:
        return
    if as_json:
        typer.echo(msgspec.json.encode(timeline))
        return
    begun = f"{datetime.fromtimestamp(call.started_at).astimezone():%Y-%m-%d %H:%M:%S}"
    lasted = "未结束 still going on"
    if call.ended_at is not None:
        lasted = f"{call.ended_at - call.started_at:.1f} s"
        if counts is not None and counts.unstamped:
            lasted = f"至少 at least {lasted}"
    if counts is not None and counts.timeless:
        begun, lasted = "时间不详 time not known", "时长不详 length not known"
    lines = [
        f"\n{call.id}  {begun}  主叫 caller {_plain(call.caller.number) or '?'}"
        f"  被叫 called {_plain(call.called) or '?'}  线路 line {call.line or '-'}  {lasted}"
    ]
    lines += [f"  {entry.offset:+10.3f}  {_plain(entry.text)}" for entry in timeline.entries]
    # Without Rich: a day's calls are hundreds of thousands of lines.
    typer.echo("\n".join(lines))


def _plain(text: str) -> str:
    """Replace terminal control characters in text from the network."""
    if text.isprintable():
        return text
    return "".join(mark if mark.isprintable() else "\ufffd" for mark in text)
