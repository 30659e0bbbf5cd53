"""`hotline calls retry`."""

import asyncio
from typing import Annotated

import typer

from gateway.cli.main import ConfigOption, app, out, read_settings
from gateway.factories import open_database
from gateway.settings import Settings

calls_app = typer.Typer(help="Calls in the database.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(calls_app, name="calls")


@calls_app.command("retry")
def retry(
    call: Annotated[
        str | None, typer.Argument(help="The call's id; default: all that lack something.")
    ] = None,
    config: ConfigOption = None,
) -> None:
    """Open the work after the hang-up again: recording, transcript, order.

    A running gateway takes it up within half a minute.
    """
    opened = asyncio.run(_retry(read_settings(config), call))
    for call_id in opened:
        out.print(call_id)
    if not opened:
        out.print("no call lacks anything" if call is None else f"{call}: no such call, or it lacks nothing")
        raise typer.Exit(1)


async def _retry(settings: Settings, call: str | None) -> list[str]:
    from gateway.storage.calls import CallRepository

    database = open_database(settings)
    try:
        await database.require_newest()
        return await CallRepository(database).retry_finish(call)
    finally:
        await database.close()
