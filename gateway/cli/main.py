"""The commands. Each reads the configuration, does one thing, and names the fix if it cannot."""

import json
import os
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from gateway import __version__
from gateway.settings import Settings, SettingsError, load_settings, masked

HELP = """Telephony and contact-centre gateway for 12345-style hotlines.

It sits between Asterisk and the work-order system: follows calls, runs the IVR, transcribes speech on this
machine, pre-fills work orders and delivers them.

Start here:

  hotline run              start the gateway (with its own PBX if none is configured)

  hotline demo --exit      play three recorded calls and print their work orders

  hotline config check     check hotline.toml

  hotline status           is it ready, and which process serves what?

  hotline doctor           check everything the gateway needs; each failure names its fix

  hotline accounts add     add an account; start with the first administrator
"""

app = typer.Typer(help=HELP, no_args_is_help=True, rich_markup_mode=None, add_completion=False)
config_app = typer.Typer(
    help="Check and show the configuration.", no_args_is_help=True, rich_markup_mode=None
)
db_app = typer.Typer(help="Manage the database schema.", no_args_is_help=True, rich_markup_mode=None)
deploy_app = typer.Typer(
    help="Render configuration for other systems.", no_args_is_help=True, rich_markup_mode=None
)
asr_app = typer.Typer(
    help="Run speech recognition on audio files.", no_args_is_help=True, rich_markup_mode=None
)
app.add_typer(config_app, name="config")
app.add_typer(db_app, name="db")
app.add_typer(deploy_app, name="deploy")
app.add_typer(asr_app, name="asr")

out = Console(highlight=False, markup=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, markup=False, soft_wrap=True)

ConfigOption = Annotated[
    Path | None,
    typer.Option(
        "--config", "-c", help="TOML file; default: $HOTLINE_CONFIG, then ./hotline.toml if it exists"
    ),
]


def read_settings(path: Path | None) -> Settings:
    """Load the configuration, or exit with code 2 after printing every fault on its own line."""
    try:
        return load_settings(path)
    except SettingsError as error:
        err.print(str(error))
        raise typer.Exit(2) from None


@app.callback(invoke_without_command=True)
def _root(
    version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False,
) -> None:
    if version:
        out.print(__version__)
        raise typer.Exit


@config_app.command("check")
def config_check(config: ConfigOption = None) -> None:
    """Check the configuration and report every fault: key, value, fix."""
    from gateway.factories import document_links
    from gateway.settings.mapping import endpoint_faults
    from workorders.delivery.signing import webhook

    settings = read_settings(config)
    faults = []
    for index, pbx in enumerate(settings.pbx):
        try:
            pbx.read_secret()
        except ValueError as error:
            faults.append(f"pbx.{index} ({pbx.name}): {error}")
        if pbx.softphone.uses_turn:
            try:
                pbx.read_turn_secret()
            except ValueError as error:
                faults.append(f"pbx.{index} ({pbx.name}): {error}")
    for index, endpoint in enumerate(settings.workorders):
        faults += [
            f"workorders.{index} ({endpoint.id}): {fault}" for fault in endpoint_faults(endpoint, settings)
        ]
    for index, one in enumerate(settings.reports.scheduled):
        try:
            if one.url is not None:
                webhook(one.read_secret())
            elif one.folder is not None and not one.folder.is_dir():
                raise ValueError(f"there is no folder {one.folder}: make it, or name another one")
        except ValueError as error:
            faults.append(f"reports.scheduled.{index} ({one.id}): {error}")
    try:
        document_links(settings)
    except ValueError as error:
        faults.append(str(error))
    faults += _reference_faults(settings)
    for fault in faults:
        err.print(f"  - {fault}")
    if faults:
        raise typer.Exit(2)
    out.print(
        f"configuration is valid: {len(settings.pbx)} PBX, {len(settings.lines)} lines,"
        f" {len(settings.agents)} agents, {len(settings.workorders)} work-order endpoints"
    )


def _reference_faults(settings: Settings) -> list[str]:
    """Check the data files that extraction matches against."""
    from workorders.directories.reference import ReferenceDataError, load_reference
    from workorders.extraction.classifier import MODEL, ClassifierError, load_classifier
    from workorders.knowledge import load_knowledge

    reference = settings.reference
    faults = []
    for load in (
        lambda: load_reference(
            reference.places, reference.units, reference.enterprises, reference.glossary, reference.taxonomy
        ),
        lambda: load_knowledge(reference.knowledge),
        lambda: load_classifier(reference.classifier or MODEL),
    ):
        try:
            load()
        except (ReferenceDataError, ClassifierError) as error:
            faults.append(f"reference: {error}")
    return faults


@config_app.command("show")
def config_show(config: ConfigOption = None) -> None:
    """Print the configuration in effect as JSON, with secrets masked."""
    out.print(json.dumps(masked(read_settings(config)), ensure_ascii=False, indent=2, default=str))


@db_app.command("upgrade")
def db_upgrade(config: ConfigOption = None) -> None:
    """Upgrade the database to the newest schema. Safe to repeat."""
    import asyncio

    from gateway.factories import open_database

    settings = read_settings(config)

    async def upgrade() -> tuple[str | None, str]:
        database = open_database(settings)
        try:
            return await database.upgrade()
        finally:
            await database.close()

    before, after = asyncio.run(upgrade())
    out.print(f"already at {after}" if before == after else f"upgraded from {before or 'nothing'} to {after}")


def main(argv: list[str] | None = None) -> Any:
    """Entry point of the `hotline` command."""
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    return app(args=argv)
