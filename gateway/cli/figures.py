"""`hotline figures` and `hotline report`."""

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Annotated, Literal, TypeVar
from zoneinfo import ZoneInfo

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from sqlalchemy.exc import SQLAlchemyError

from domain.reports.report import By, ReportQuery
from gateway.cli.main import ConfigOption, app, err, out, read_settings
from gateway.factories import counting_rules, open_database
from gateway.settings import Settings
from gateway.storage.database import Database, DatabaseError

Result = TypeVar("Result")
DAYS_AT_ONCE = 7
"""In one transaction: a gateway that runs meanwhile waits so long to write."""

figures_app = typer.Typer(
    help="Figures that last: counted by hour, day, month and year, and kept for ever.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
app.add_typer(figures_app, name="figures")

From = Annotated[
    datetime | None, typer.Option("--from", formats=["%Y-%m-%d"], help="First day; default: of all.")
]
To = Annotated[
    datetime | None, typer.Option("--to", formats=["%Y-%m-%d"], help="Last day, included; default: today.")
]


@figures_app.command("rebuild")
def rebuild(since: From = None, until: To = None, config: ConfigOption = None) -> None:
    """Count everything of these days anew, from calls, queue entries, orders and what was told of them.

    The numbers are the same, unless the way of counting was changed. A running gateway may go on meanwhile.
    Interrupted, it is finished by the gateway, or by another call.
    """
    settings = read_settings(config)
    first, after = _days(since, until)

    async def work(database: Database) -> tuple[int, float]:
        from gateway.storage.figures import FigureCounter

        counter = FigureCounter(database, counting_rules(settings), days_at_once=DAYS_AT_ONCE)
        began = time.monotonic()
        days = await counter.ask_for(first, after)
        total = await counter.waiting()
        columns = (TextColumn("counting"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Progress(*columns, console=err, disable=not err.is_terminal) as progress:
            task = progress.add_task("counting", total=total)
            told = began

            def counted(done: int) -> None:
                nonlocal told
                progress.update(task, completed=min(done, total))
                if not err.is_terminal and time.monotonic() - told > 5:
                    told = time.monotonic()
                    err.print(f"counted {min(done, total)} of {total}")

            await counter.catch_up(counted)
        return days, time.monotonic() - began

    days, took = _run(settings, work)
    out.print(f"counted {days} {'day' if days == 1 else 'days'} anew in {took:.1f} s")


@app.command("report")
def report(
    since: From = None,
    until: To = None,
    by: Annotated[By, typer.Option(help="What the rows are.")] = By.DAY,
    line: Annotated[str | None, typer.Option(help="Of this line alone.")] = None,
    form: Annotated[
        Literal["html", "xlsx", "csv", "json"], typer.Option("--format", help="Of the file.")
    ] = "csv",
    language: Annotated[Literal["zh", "en"], typer.Option(help="Of its words.")] = "zh",
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="File to write; default: standard output.", dir_okay=False),
    ] = None,
    config: ConfigOption = None,
) -> None:
    """Make a report of figures that last: rates of answering, of orders closed, of satisfaction and others.

    Without days it is of this year up to today. docs/metrics.md says what each figure is.
    """
    settings = read_settings(config)
    zone = ZoneInfo(settings.timezone)
    first, after = _days(since, until)
    after = after or datetime.now(zone).date() + timedelta(days=1)
    first = first or (after - timedelta(days=1)).replace(month=1, day=1)
    if first >= after:
        err.print("--from: is later than --to; give the earlier day first")
        raise typer.Exit(2)
    if line is not None and settings.line(line) is None:
        # It may have been one: figures are kept longer than lines.
        known = ", ".join(one.id for one in settings.lines) or "none"
        err.print(f"--line: no line {line} is configured; configured: {known}")
    if output is None and form == "xlsx" and sys.stdout.isatty():
        err.print("--output: xlsx is no text; name a file")
        raise typer.Exit(2)

    async def work(database: Database) -> bytes:
        from gateway.export.reports import rendered
        from gateway.scheduled_reports import table_context
        from gateway.storage.figures import FigureCounter
        from gateway.storage.reports import ReportRepository

        counter = FigureCounter(database, counting_rules(settings), days_at_once=DAYS_AT_ONCE)
        await counter.begin()
        await counter.catch_up()
        made = await ReportRepository(database, settings.timezone).report(ReportQuery(first, after, by, line))
        context = table_context(settings, language)
        return rendered(made, form, context, time.time(), zone)

    body = _run(settings, work)
    if output is None:
        sys.stdout.buffer.write(body)
        sys.stdout.buffer.flush()
        return
    try:
        output.write_bytes(body)
    except OSError as error:
        err.print(f"--output: {output}: {error.strerror or error}")
        raise typer.Exit(1) from None
    err.print(f"written: {output}")


def _days(since: datetime | None, until: datetime | None) -> tuple[date | None, date | None]:
    """The days [since, until)."""
    first = since.date() if since is not None else None
    after = until.date() + timedelta(days=1) if until is not None else None
    if first is not None and after is not None and first >= after:
        err.print("--from: is later than --to; give the earlier day first")
        raise typer.Exit(2)
    return first, after


def _run(settings: Settings, work: Callable[[Database], Awaitable[Result]]) -> Result:
    """Do it on the configured database; name what is wrong with that."""

    async def done() -> Result:
        database = open_database(settings)
        try:
            if database.sqlite:
                await database.upgrade()
            await database.require_newest()
            return await work(database)
        finally:
            await database.close()

    try:
        return asyncio.run(done())
    except (DatabaseError, SQLAlchemyError, OSError) as error:
        err.print(f"the database cannot be used: {str(error).splitlines()[0][:300]}")
        raise typer.Exit(1) from None
