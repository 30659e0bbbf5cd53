"""`hotline doctor`: check everything the gateway needs; each failure names its fix."""

import asyncio
import os
import shutil
import ssl
import time
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp

from domain.pbx.errors import ActionRefused, PbxError
from domain.pbx.snapshot import PbxSnapshot
from gateway.asterisk.link import PbxLink
from gateway.doctor.audio import examine_audio
from gateway.doctor.findings import Finding, detail, fix, what
from gateway.factories import asr_config, open_database
from gateway.settings import PbxSettings, Settings, WorkOrderEndpoint
from gateway.settings.mapping import mapping_of, secrets_of, signing_secret
from workorders.delivery.signing import webhook

LOGIN_S = 8.0
MIN_FREE = 2 * 1024**3
MAX_SKEW_S = 2.0


async def examine(settings: Settings) -> AsyncIterator[Finding]:
    """Check everything, yielding one finding after another."""
    yield _model(settings)
    yield _disk(settings.data_dir)
    yield await _database(settings)
    if not settings.pbx:
        yield Finding(what("pbx"), True, detail("pbx_none"), warning=True)
    for pbx in settings.pbx:
        async for finding in _pbx(settings, pbx):
            yield finding
    if not settings.workorders:
        yield Finding(what("endpoints"), True, detail("endpoints_none"), warning=True)
    for endpoint in settings.workorders:
        yield await _endpoint(endpoint, settings.timezone)


def _model(settings: Settings) -> Finding:
    about = what("model")
    if settings.asr.engine == "none":
        return Finding(about, True, detail("model_off"), warning=True)
    try:
        model = asr_config(settings).model
    except ValueError as error:
        return Finding(about, False, detail("words", text=str(error)), fix("model_secret"))
    if settings.asr.engine == "http":
        return Finding(about, True, detail("model_at", model=model, url=str(settings.asr.url)))
    if not settings.asr.model or "/" in model:
        path = Path(model)
        if not (path / "model.bin").is_file():
            return Finding(about, False, detail("model_missing", path=str(path)), fix("model_make"))
        return Finding(about, True, detail("words", text=str(path)))
    return Finding(about, True, detail("model_fetched", model=model), warning=True)


def _disk(directory: Path) -> Finding:
    existing = next(path for path in (directory, *directory.absolute().parents) if path.exists())
    free = shutil.disk_usage(existing).free
    about, left = what("disk"), detail("disk_free", gib=f"{free / 1024**3:.1f}", path=str(directory))
    if not os.access(existing, os.W_OK):
        return Finding(about, False, detail("unwritable", path=str(existing)), fix("disk_writable"))
    if free < MIN_FREE:
        return Finding(about, False, left, fix("disk_free_some"))
    return Finding(about, True, left)


async def _database(settings: Settings) -> Finding:
    about, database = what("database"), open_database(settings)
    shown = database.url.render_as_string(hide_password=True)
    try:
        if database.sqlite and not await asyncio.to_thread(Path(database.url.database or "").exists):
            return Finding(about, True, detail("database_new", url=shown))
        await asyncio.wait_for(database.require_newest(), 10)
    except Exception as error:
        trouble = detail("database_trouble", url=shown, text=str(error))
        return Finding(about, False, trouble, fix("database_upgrade"))
    finally:
        await database.close()
    return Finding(about, True, detail("words", text=shown))


async def _pbx(settings: Settings, pbx: PbxSettings) -> AsyncIterator[Finding]:
    login = what("pbx_login", pbx=pbx.name)
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
            silent = detail("pbx_silent", address=f"{pbx.host}:{pbx.port}")
            why = detail("words", text=link.state.reason) if link.state.reason else silent
            yield Finding(
                login, False, why, fix("login_settings" if link.state.phase == "refused" else "pbx_running")
            )
            return
        yield Finding(login, True, detail("asterisk", version=snapshot.version, username=pbx.username))
        while link.state.phase == "synchronising":  # noqa: ASYNC110 - a moment, between snapshot and service
            await asyncio.sleep(0.05)
        for finding in await _privileges(pbx, link):
            yield finding
        for finding in _queues(settings, pbx, snapshot):
            yield finding
        yield _recordings(pbx)
        yield _queue_log(pbx)
        yield await _clock(pbx, link)
        yield await examine_audio(pbx.name, settings, link)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def _privileges(pbx: PbxSettings, link: PbxLink) -> list[Finding]:
    """Try each action on something that does not exist: "no such …" means that we have the privilege."""
    nothing = "hotline-doctor/none"
    tries: list[tuple[str, str, dict[str, str]]] = [
        ("originate", "Originate", {"Channel": nothing, "Context": "hotline-listen", "Exten": "none"}),
        ("call", "Hangup", {"Channel": nothing}),
        ("agent", "QueuePause", {"Interface": nothing, "Paused": "true"}),
    ]
    findings = []
    for privilege, action, headers in tries:
        about = what("pbx_privilege", pbx=pbx.name, privilege=privilege)
        try:
            await link.action(action, headers)
        except ActionRefused as error:
            refused = "permission denied" in str(error).lower()
            words = detail("words", text=str(error))
            findings.append(
                Finding(about, False, words, fix("privilege", privilege=privilege))
                if refused
                else Finding(about, True, detail("granted"))
            )
        except PbxError as error:
            findings.append(Finding(about, False, detail("words", text=str(error)), fix("ask_pbx_log")))
        else:
            findings.append(Finding(about, True, detail("granted")))
    return findings


def _queues(settings: Settings, pbx: PbxSettings, snapshot: PbxSnapshot) -> list[Finding]:
    there = {queue.queue: {member.member for member in queue.members} for queue in snapshot.queues}
    findings = []
    for line in settings.lines:
        about = what("pbx_queue", pbx=pbx.name, queue=line.queue)
        if line.queue not in there:
            render = fix("queue_render", pbx=pbx.name)
            findings.append(Finding(about, False, detail("queue_missing", line=line.id), render))
            continue
        wanted = {agent.id for agent in settings.agents if line.id in agent.lines}
        if missing := sorted(wanted - there[line.queue]):
            out = detail("agents_missing", agents=", ".join(missing))
            findings.append(Finding(about, True, out, warning=True))
        else:
            findings.append(Finding(about, True, detail("agents_there", count=len(there[line.queue]))))
    return findings


def _recordings(pbx: PbxSettings) -> Finding:
    about, directory = what("pbx_recordings", pbx=pbx.name), pbx.recordings_dir
    if not directory.is_dir() or not os.access(directory, os.R_OK | os.X_OK):
        mount = fix("recordings_mount", prefix=pbx.recordings_prefix)
        return Finding(about, False, detail("unreadable", path=str(directory)), mount)
    return Finding(about, True, detail("words", text=str(directory)))


def _queue_log(pbx: PbxSettings) -> Finding:
    about, file = what("pbx_queue_log", pbx=pbx.name), pbx.queue_log
    if file is None:
        return Finding(about, True, detail("queue_log_none"), fix("queue_log_set"), warning=True)
    if not os.access(file, os.R_OK):
        return Finding(about, False, detail("unreadable", path=str(file)), fix("queue_log_set"))
    return Finding(about, True, detail("words", text=str(file)))


async def _clock(pbx: PbxSettings, link: PbxLink) -> Finding:
    about = what("pbx_clock", pbx=pbx.name)
    try:
        answer = await link.action("Ping")
        skew = float(answer.headers.get("Timestamp", "nan")) - time.time()
    except (PbxError, ValueError) as error:
        return Finding(about, False, detail("words", text=str(error)), fix("ask_pbx_log"))
    if not abs(skew) <= MAX_SKEW_S:
        return Finding(about, False, detail("clock_skew", seconds=f"{skew:+.1f}"), fix("ntp"))
    return Finding(about, True, detail("clock_skew", seconds=f"{skew:+.3f}"))


async def _endpoint(endpoint: WorkOrderEndpoint, timezone: str) -> Finding:
    about = what("endpoint", endpoint=endpoint.id)
    try:
        mapping = mapping_of(endpoint, timezone)
        secrets_of(endpoint, mapping)
        if (secret := signing_secret(endpoint, mapping)) is not None:
            webhook(secret)
    except ValueError as error:
        return Finding(about, False, detail("words", text=str(error)), fix("endpoint_secret"))
    try:
        async with (
            asyncio.timeout(endpoint.timeout_s),
            aiohttp.ClientSession() as session,
            session.options(str(endpoint.url), allow_redirects=False) as response,
        ):
            answers = detail("endpoint_answers", host=endpoint.url.host, status=response.status)
            return Finding(about, True, answers)
    except (TimeoutError, aiohttp.ClientError, OSError, ssl.SSLError) as error:
        silent = detail("endpoint_silent", seconds=f"{endpoint.timeout_s:g}")
        why = detail("words", text=str(error)) if str(error) else silent
        return Finding(about, False, why, fix("endpoint_way"))
