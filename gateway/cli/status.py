"""`hotline status`."""

import asyncio
import json
from datetime import datetime
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import aiohttp
import typer

from domain.leases import Lease
from gateway.cli.main import ConfigOption, app, out, read_settings
from gateway.factories import open_database
from gateway.settings import Settings

ANSWER_S = 5.0


@app.command()
def status(
    config: ConfigOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on standard output.")] = False,
) -> None:
    """Say whether the gateway of this configuration is ready, and which process serves what.

    Exit code 1 if it is not ready; one that stands by is not.
    """
    settings = read_settings(config)
    ready, leases = asyncio.run(_asked(settings))
    if as_json:
        told = [{"name": one.name, "holder": one.holder, "address": one.address, "term": one.term,
                 "taken_at": one.taken_at, "held": one.held} for one in leases]  # fmt: skip
        out.print(json.dumps({"ready": ready, "leases": told}, ensure_ascii=False))
    else:
        _print(ready, leases, ZoneInfo(settings.timezone))
    if not ready.get("ok"):
        raise typer.Exit(1)


async def _asked(settings: Settings) -> tuple[dict[str, Any], list[Lease]]:
    from gateway.ownership import is_shared

    ready = await _readiness(f"http://{settings.http.host}:{settings.http.port}/readyz")
    return ready, await _leases(settings) if is_shared(settings) else []


async def _readiness(url: str) -> dict[str, Any]:
    try:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=ANSWER_S)) as session,
            session.get(url) as answer,
        ):
            found: dict[str, Any] = await answer.json()
            return found
    except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
        why = f"no gateway answers at {url} ({type(error).__name__})"
        return {"ok": False, "checks": [{"name": "gateway", "ok": False, "detail": why}]}


async def _leases(settings: Settings) -> list[Lease]:
    from gateway.storage.leases import LeaseRepository

    database = open_database(settings)
    try:
        await database.require_newest()
        return await LeaseRepository(database).list_leases()
    finally:
        await database.close()


def _print(ready: dict[str, Any], leases: list[Lease], zone: ZoneInfo) -> None:
    out.print("ready" if ready.get("ok") else "not ready")
    for check in ready.get("checks", ()):
        if not check["ok"]:
            out.print(f"  {check['name']}: {check['detail']}")
    for lease in leases:
        since = datetime.fromtimestamp(lease.taken_at, zone).strftime("%Y-%m-%d %H:%M:%S")
        if lease.name.startswith("standby:"):
            if lease.held:
                out.print(f"standing by since {since}: {lease.holder} ({lease.address})")
        elif lease.held:
            out.print(f"{lease.name}: {lease.holder} ({lease.address}) since {since}, term {lease.term}")
        else:
            out.print(f"{lease.name}: nobody; last {lease.holder or 'never'}, term {lease.term}")
