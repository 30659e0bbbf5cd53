"""`hotline doctor`, `hotline deploy asterisk` and `hotline deploy prompts`."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from gateway.asterisk.sip_passwords import new_password, own_password, read_passwords, write_passwords
from gateway.cli.main import ConfigOption, app, deploy_app, err, out, read_settings
from gateway.settings import Settings


@app.command()
def doctor(config: ConfigOption = None) -> None:
    """Check each PBX (login, privileges, queues, clock, live audio), model, disk, database and endpoints.

    Each failure comes with its fix. Exit code 1 if anything failed.
    """
    settings = read_settings(config)
    if asyncio.run(_doctor(settings)):
        raise typer.Exit(1)


async def _doctor(settings: Settings) -> int:
    from gateway.doctor import examine
    from gateway.logs import configure

    configure("CRITICAL")
    failed = 0
    async for finding in examine(settings):
        mark = "warn" if finding.warning else "ok" if finding.ok else "FAIL"
        out.print(f"{mark:<5}{finding.what.text}: {finding.detail.text}")
        if not finding.ok:
            failed += 1
            out.print(f"     fix: {finding.fix.text if finding.fix else 'see above'}")
    out.print(f"{failed} failed" if failed else "all is well")
    return failed


@deploy_app.command("asterisk")
def deploy_asterisk(
    directory: Annotated[Path, typer.Argument(help="Where to write the files.")],
    config: ConfigOption = None,
    pbx: Annotated[str | None, typer.Option(help="Which configured PBX; default: the first.")] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Overwrite files the gateway did not write.")
    ] = False,
) -> None:
    """Render a complete, commented Asterisk configuration for the configured lines and agents.

    Passwords for agents' SIP phones are generated once and kept in the PBX's phones_file, or in phones.secret
    of DIRECTORY (mode 0600); set phones_file to that file so that browser phones get theirs.
    """
    from gateway.asterisk.provisioning import ProvisionError, ProvisionOptions, render, write

    settings = read_settings(config)
    chosen = next((one for one in settings.pbx if pbx in (None, one.name)), None)
    if chosen is None:
        err.print(f"no PBX {pbx or ''} in the configuration: add [[pbx]]")
        raise typer.Exit(2)
    try:
        options = ProvisionOptions(
            ami_secret=chosen.read_secret(),
            ami_port=chosen.port,
            recordings_prefix=chosen.recordings_prefix,
            agi=settings.agi.advertise or f"{settings.agi.host}:{settings.agi.port}",
            agi_peers=tuple(settings.agi.peers),
            audiosocket=settings.audiosocket.advertise
            or f"{settings.audiosocket.host}:{settings.audiosocket.port}",
            mediasocket=settings.mediasocket.address if chosen.live_audio == "websocket" else "",
            mediasocket_peers=tuple(settings.mediasocket.peers),
            phone_passwords=phone_passwords(settings, chosen.phones_file or directory / "phones.secret"),
        )
        written = write(render(settings, chosen, options), directory, force=force)
    except (ProvisionError, ValueError, OSError) as error:
        err.print(str(error))
        raise typer.Exit(2) from None
    out.print(f"wrote {len(written)} files to {directory}; see docs/asterisk.md for how to use them")


@deploy_app.command("prompts")
def deploy_prompts(
    directory: Annotated[
        Path, typer.Argument(help="Asterisk's sounds directory, e.g. /usr/share/asterisk/sounds.")
    ],
    config: ConfigOption = None,
    language: Annotated[str, typer.Option(help="Language subdirectory, e.g. zh.")] = "",
) -> None:
    """Install the greeting's prompts for Asterisk; names of your own lines are spoken by espeak-ng.

    Existing files (such as your own recordings) are kept. Exit code 1 if a prompt is missing.
    """
    from ivr.prompts.render import provide

    settings = read_settings(config)
    try:
        written, problems = provide(directory, [line.model() for line in settings.lines], language=language)
    except OSError as error:
        err.print(f"{directory}: {error.strerror or error}", markup=False)
        raise typer.Exit(2) from None
    out.print(f"wrote {len(written)} prompts to {directory / language / 'hotline'}")
    for problem in problems:
        err.print(f"missing: {problem}", markup=False)
    if problems:
        raise typer.Exit(1)


def phone_passwords(settings: Settings, path: Path) -> dict[str, str]:
    """Return SIP user → password for each PJSIP phone; new ones are added to the file.

    An agent's own secret takes precedence.

    Raises:
        ValueError: a secret's file cannot be read or has the wrong format.
    """
    known = read_passwords(path) if path.exists() else {}
    for agent in settings.agents:
        for user in agent.sip_users.values():
            own = own_password(agent) if user == agent.sip_user else None
            known[user] = own or known.get(user) or new_password()
    write_passwords(path, known)
    return known
