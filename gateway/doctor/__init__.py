"""`hotline doctor`: is everything the gateway needs there? Each failure says the mend."""

import asyncio
import os
import shutil
import ssl
import time
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp

from gateway.doctor.audio import examine_audio
from gateway.doctor.findings import Finding
from gateway.parts import asr_config, open_database
from gateway.pbx.errors import ActionRefused, PbxError
from gateway.pbx.link import PbxLink
from gateway.pbx.snapshot import PbxSnapshot
from gateway.settings import PbxSettings, Settings, WorkOrderEndpoint

LOGIN_S = 8.0
MIN_FREE = 2 * 1024**3
MAX_SKEW_S = 2.0


async def examine(settings: Settings) -> AsyncIterator[Finding]:
    """Look at everything, one finding after another."""
    yield _model(settings)
    yield _disk(settings.data_dir)
    yield await _database(settings)
    if not settings.pbx:
        yield Finding("PBX", True, "none configured: `hotline run` brings one of its own", warning=True)
    for pbx in settings.pbx:
        async for finding in _pbx(settings, pbx):
            yield finding
    if not settings.workorders:
        yield Finding("work orders", True, "no endpoint configured: orders stay here", warning=True)
    for endpoint in settings.workorders:
        yield await _endpoint(endpoint)


def _model(settings: Settings) -> Finding:
    if settings.asr.engine == "none":
        return Finding("speech model", True, "speech recognition is switched off", warning=True)
    try:
        model = asr_config(settings).model
    except ValueError as error:
        return Finding("speech model", False, str(error), "see asr.secret_file")
    if settings.asr.engine == "http":
        return Finding("speech model", True, f"{model} at {settings.asr.url}")
    if not settings.asr.model or "/" in model:
        path = Path(model)
        if not (path / "model.bin").is_file():
            return Finding(
                "speech model", False, f"{path} holds no model.bin", "run `make model`, or set asr.model"
            )
        return Finding("speech model", True, str(path))
    return Finding("speech model", True, f"{model}: fetched from the hub at the first start", warning=True)


def _disk(directory: Path) -> Finding:
    existing = next(path for path in (directory, *directory.absolute().parents) if path.exists())
    free = shutil.disk_usage(existing).free
    text = f"{free / 1024**3:.1f} GiB free at {directory}"
    if not os.access(existing, os.W_OK):
        return Finding("disk", False, f"{existing} cannot be written", "make it writable for this user")
    if free < MIN_FREE:
        return Finding("disk", False, text, "free some space, or move data_dir")
    return Finding("disk", True, text)


async def _database(settings: Settings) -> Finding:
    database = open_database(settings)
    shown = database.url.render_as_string(hide_password=True)
    try:
        if database.sqlite and not await asyncio.to_thread(Path(database.url.database or "").exists):
            return Finding("database", True, f"{shown}: made at the first start")
        await asyncio.wait_for(database.require_newest(), 10)
    except Exception as error:
        return Finding("database", False, f"{shown}: {error}", "is it running? then `hotline db upgrade`")
    finally:
        await database.close()
    return Finding("database", True, shown)


async def _pbx(settings: Settings, pbx: PbxSettings) -> AsyncIterator[Finding]:
    name = f"PBX {pbx.name}"
    arrived: asyncio.Future[PbxSnapshot] = asyncio.get_running_loop().create_future()

    async def on_snapshot(snapshot: PbxSnapshot) -> None:
        if not arrived.done():
            arrived.set_result(snapshot)

    async def ignore(_: object) -> None:
        return None

    link = PbxLink(pbx, ignore, ignore, on_snapshot)
    running = asyncio.create_task(link.run())
    try:
        try:
            snapshot = await asyncio.wait_for(asyncio.shield(arrived), LOGIN_S)
        except TimeoutError:
            reason = link.state.reason or f"no answer from {pbx.host}:{pbx.port}"
            mend = "is Asterisk running, and AMI enabled and permitted for this address in manager.conf?"
            yield Finding(f"{name}: login", False, reason, "" if "manager.conf" in reason else mend)
            return
        yield Finding(f"{name}: login", True, f"Asterisk {snapshot.version} as {pbx.username}")
        while link.state.phase == "synchronising":  # noqa: ASYNC110 - a moment, between snapshot and service
            await asyncio.sleep(0.05)
        for finding in await _privileges(name, link):
            yield finding
        for finding in _queues(name, settings, pbx, snapshot):
            yield finding
        yield _recordings(name, pbx)
        yield await _clock(name, link)
        yield await examine_audio(name, settings, link)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def _privileges(name: str, link: PbxLink) -> list[Finding]:
    """Each action is tried on something that is not there: "no such" means that we may."""
    nothing = "hotline-doctor/none"
    tries: list[tuple[str, str, dict[str, str]]] = [
        ("originate", "Originate", {"Channel": nothing, "Context": "hotline-listen", "Exten": "none"}),
        ("call", "Hangup", {"Channel": nothing}),
        ("agent", "QueuePause", {"Interface": nothing, "Paused": "true"}),
    ]
    findings = []
    for privilege, action, headers in tries:
        try:
            await link.action(action, headers)
        except ActionRefused as error:
            refused = "permission denied" in str(error).lower()
            findings.append(
                Finding(
                    f"{name}: privilege {privilege}",
                    not refused,
                    str(error) if refused else "granted",
                    f"add {privilege} to write= of the user in manager.conf" if refused else "",
                )
            )
        except PbxError as error:
            findings.append(
                Finding(f"{name}: privilege {privilege}", False, str(error), "look at the PBX's log")
            )
        else:
            findings.append(Finding(f"{name}: privilege {privilege}", True, "granted"))
    return findings


def _queues(name: str, settings: Settings, pbx: PbxSettings, snapshot: PbxSnapshot) -> list[Finding]:
    there = {queue.queue: {member.member for member in queue.members} for queue in snapshot.queues}
    mend = f"`hotline deploy asterisk DIR` renders it; reload app_queue on {pbx.name}"
    findings = []
    for line in settings.lines:
        what = f"{name}: queue {line.queue}"
        if line.queue not in there:
            findings.append(Finding(what, False, f"line {line.id} has no such queue there", mend))
            continue
        wanted = {agent.id for agent in settings.agents if line.id in agent.lines}
        if missing := sorted(wanted - there[line.queue]):
            findings.append(Finding(what, True, f"agents not logged in: {', '.join(missing)}", warning=True))
        else:
            findings.append(Finding(what, True, f"{len(there[line.queue])} agents"))
    return findings


def _recordings(name: str, pbx: PbxSettings) -> Finding:
    directory = pbx.recordings_dir
    if not directory.is_dir() or not os.access(directory, os.R_OK | os.X_OK):
        return Finding(
            f"{name}: recordings",
            False,
            f"{directory} cannot be read here",
            f"mount the PBX's {pbx.recordings_prefix} there and set recordings_dir",
        )
    return Finding(f"{name}: recordings", True, str(directory))


async def _clock(name: str, link: PbxLink) -> Finding:
    try:
        answer = await link.action("Ping")
        skew = float(answer.headers.get("Timestamp", "nan")) - time.time()
    except (PbxError, ValueError) as error:
        return Finding(f"{name}: clock", False, str(error), "look at the PBX's log")
    if not abs(skew) <= MAX_SKEW_S:
        return Finding(f"{name}: clock", False, f"{skew:+.1f} s from ours", "run NTP on both machines")
    return Finding(f"{name}: clock", True, f"{skew:+.3f} s from ours")


async def _endpoint(endpoint: WorkOrderEndpoint) -> Finding:
    what = f"work orders to {endpoint.id}"
    try:
        endpoint.read_secret()
    except ValueError as error:
        return Finding(what, False, str(error), "name a file that holds the secret, mode 0600")
    try:
        async with (
            asyncio.timeout(endpoint.timeout_s),
            aiohttp.ClientSession() as session,
            session.options(str(endpoint.url), allow_redirects=False) as response,
        ):
            return Finding(what, True, f"{endpoint.url.host} answers (HTTP {response.status})")
    except (TimeoutError, aiohttp.ClientError, OSError, ssl.SSLError) as error:
        reason = str(error) or f"no answer in {endpoint.timeout_s:g} s"
        return Finding(what, False, reason, "check the URL, the certificate and the way there")
