"""The composition root: makes every part, plugs the ports, starts and stops them in order.

What happens when a call is answered: docs/architecture.md.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import structlog

from agents.accounts.service import AccountService
from agents.alarms.service import AlarmService
from agents.figures.service import FiguresService
from agents.screen_pop.service import ScreenPopService, load_contacts
from agents.timers import AgentTimers
from asr.answer_hints import AnswerHints
from asr.engine import EngineRequest
from asr.live_transcription import LiveTranscription
from asr.pool import EnginePool
from domain.calls import Call
from domain.facts import (
    RECOVERED,
    AnyFact,
    CallAnswered,
    CallEnded,
    CallHeld,
    CallUpdated,
    UtteranceHeard,
)
from gateway import __version__
from gateway.administration import Administration
from gateway.asterisk.link import PbxLink
from gateway.asterisk.softphones import Softphones, websocket_urls
from gateway.call_control.call_recovery import restore_hold_and_mute
from gateway.call_control.directory import LiveDirectory
from gateway.call_control.service import CommandService, rules_of, view_of, wrap_ups
from gateway.call_control.view import View
from gateway.calls.tracker import CallTracker
from gateway.factories import asr_config, open_database
from gateway.facts.bus import LocalBus
from gateway.metrics import Metrics
from gateway.pbx_state import PbxState
from gateway.post_call import PostCall
from gateway.runtime import Runtime
from gateway.settings import PbxSettings, Settings
from gateway.storage.accounts import AccountRepository
from gateway.storage.callers import CallerRepository
from gateway.storage.calls import CallRepository
from gateway.storage.command_log import CommandRepository
from gateway.storage.history import HistoryRepository
from gateway.storage.journal import JournalWriter
from gateway.storage.orders import OrderRepository, SqlOutbox
from gateway.storage.unsaved_input import DraftRepository
from gateway.stream.hub import Hub
from gateway.stream.server import StreamServer
from gateway.stream.state import LiveView
from gateway.supervision import (
    Tasks,
    caller_of,
    forget_commands,
    live_call,
    readiness,
    start_delivery,
    tick,
    watch_recogniser,
)
from gateway.web.app import create_app
from gateway.web.serve import serve_web
from gateway.web.services import WebServices
from ivr.agi import FastAgiServer
from ivr.hotline import HotlineIvr
from recordings.service import RecordingService
from recordings.takeover import Archive
from workorders.directories.reference import load_reference
from workorders.extraction import warm_up
from workorders.extraction.classifier import MODEL as CLASSIFIER
from workorders.extraction.classifier import load_classifier
from workorders.extraction.language_model import LanguageModel
from workorders.extraction.people import BEGINNINGS, NAME_QUESTION, name_beginnings
from workorders.forms import FORMS, labels
from workorders.knowledge import load_knowledge
from workorders.service import Orders

log = structlog.get_logger(__name__)


@asynccontextmanager
async def run_gateway(
    settings: Settings,
    *,
    pbxs: Callable[[str, str], Awaitable[list[PbxSettings]]] | None = None,
    demo_accounts: tuple[tuple[str, str], ...] = (),
    say: Callable[[str], None] = lambda _: None,
) -> AsyncIterator[Runtime]:
    """The whole gateway, up while the block runs.

    `pbxs` may bring up PBXs once our own ports are known; by default those of the settings are used.
    `say` is told what takes longer than a moment.
    """
    async with AsyncExitStack() as stack:
        database = open_database(settings)
        stack.push_async_callback(database.close)
        if database.sqlite:
            # The embedded database has no other keeper; a shared one is upgraded by its operator.
            await database.upgrade()
        await database.require_newest()
        bus = LocalBus()
        journal = await stack.enter_async_context(JournalWriter(database))
        calls = CallRepository(database)
        reporting = FiguresService([line.model() for line in settings.lines], settings.timezone, bus)
        await reporting.rebuild(calls)
        outbox = SqlOutbox(database)
        data = settings.reference
        reference = await asyncio.to_thread(
            load_reference,
            data.places,
            data.units,
            data.enterprises,
            data.glossary,
            data.taxonomy,
        )
        await asyncio.to_thread(warm_up, reference)
        order_repository = OrderRepository(database)
        orders = Orders(
            settings,
            reference,
            journal,
            bus,
            calls,
            order_repository,
            outbox,
            classifier=await asyncio.to_thread(load_classifier, data.classifier or CLASSIFIER),
            knowledge=await asyncio.to_thread(load_knowledge, data.knowledge),
            model=await _language_model(settings, stack),
        )
        accounts_repository = AccountRepository(database)
        accounts = AccountService(
            accounts_repository, accounts_repository, session_s=settings.http.session_hours * 3600
        )
        view = LiveView()
        hub = Hub(view)
        bus.listen(hub.publish)
        # Names that the recogniser is told beforehand are the district's; the line's own come from its
        # glossary.
        hot_words = " ".join(reference.hot_words()) if data.hot_words else ""
        pool = await _engine_pool(settings, stack, say)
        expecting = AnswerHints(NAME_QUESTION, BEGINNINGS, name_beginnings)

        def request(_call: Call) -> EngineRequest:
            return EngineRequest(hotwords=hot_words)

        listening = (
            LiveTranscription(
                pool,
                journal,
                bus,
                calls,
                expecting=expecting,
                request=request,
                partials=settings.asr.partials,
            )
            if pool is not None
            else None
        )
        archive = Archive(settings.data_dir / "recordings")
        agi = await stack.enter_async_context(
            FastAgiServer(
                settings.agi.host,
                settings.agi.port,
                HotlineIvr(tuple(line.model() for line in settings.lines)),
            )
        )
        agi_address = settings.agi.advertise or f"{settings.agi.host}:{agi.port}"
        audio_address = settings.audiosocket.advertise or ""
        if listening is not None:
            audio = await stack.enter_async_context(
                listening.server(settings.audiosocket.host, settings.audiosocket.port)
            )
            audio_address = audio_address or f"{settings.audiosocket.host}:{audio.port}"
            if any(pbx.live_audio == "websocket" for pbx in settings.pbx):
                await stack.enter_async_context(
                    listening.media_server(settings.mediasocket.host, settings.mediasocket.port)
                )
        linked = await pbxs(agi_address, audio_address) if pbxs else list(settings.pbx)
        by_name = {pbx.name: pbx for pbx in linked}
        finishing = PostCall(
            by_name, archive, pool, listening, orders, journal, bus, calls, expecting, request
        )
        running = Runtime(
            settings=settings,
            bus=bus,
            accounts=accounts,
            calls=calls,
            orders=orders,
            links={},
            pbx_states={},
            desks={},
            finishing=finishing,
            outbox=outbox,
            reporting=reporting,
            pool=pool,
            agi=agi_address,
            audiosocket=audio_address,
            pbxs=by_name,
        )
        rules = rules_of(settings, linked[0].name if linked else "")
        commands = CommandRepository(database)

        def look() -> View:
            return view_of(rules, running.pbx_states.values())

        commander = CommandService(
            commands,
            rules,
            look,
            running.links,
            wrap_ups(running.desks),
            caller_of(running),
        )
        tasks = Tasks()
        stack.push_async_callback(finishing.stop)
        stack.push_async_callback(tasks.stop)
        live = settings.asr.live
        tasks.start(_conduct(bus, running, listening if live else None), "conduct")
        await asyncio.sleep(0)
        start_delivery(settings, orders, outbox, tasks)
        for pbx in linked:
            _link(running, pbx, linked[0].name, journal, tasks, commander.follow_phone)
            running.pbx_states[pbx.name].queue_state.restore(*reporting.left_of(pbx.name))
        tasks.start(reporting.run(), "figures")
        rules_of_alarms = [rule.model() for rule in settings.alarms]
        alarming = AlarmService(rules_of_alarms, journal, bus, order_repository.unsubmitted_orders)
        tasks.start(alarming.run(), "alarms")
        reopened = await finishing.resume()
        if reopened:
            log.info("resumed_unfinished_calls", calls=reopened)
        metrics = Metrics(running, journal)
        stream: StreamServer | None = None
        privacy = settings.privacy.model()
        services = WebServices(
            accounts=accounts,
            live=view,
            orders=orders,
            calls=calls,
            deliveries=outbox,
            commands=commander,
            audit=commands,
            administration=Administration(settings, by_name, running.links, outbox, order_repository),
            directory=LiveDirectory(settings, reference.units, look),
            history=HistoryRepository(database),
            audio=RecordingService(by_name, archive, calls),
            checks=readiness(running, database),
            lines=[line.model() for line in settings.lines],
            field_labels=labels(),
            forms=FORMS,
            agent_names={agent.id: agent.name for agent in settings.agents},
            pause_reasons=settings.desk.pause_reasons,
            desk_login=settings.desk.login == "desk",
            pops=ScreenPopService(
                settings,
                reference,
                await asyncio.to_thread(load_contacts, data.contacts),
                CallerRepository(database),
                privacy,
            ),
            drafts=DraftRepository(database),
            live_call=lambda call_id: live_call(running, call_id),
            softphones=Softphones(settings, by_name, linked[0].name if linked else ""),
            softphone_urls=websocket_urls(by_name),
            stream_port=lambda: stream.port if stream else None,
            public_stream_url=settings.http.public_stream_url,
            allowed_origins=settings.http.allowed_origins,
            privacy=privacy,
            secure_cookies=settings.http.secure_cookies,
            timezone=settings.timezone,
            export_rows=settings.http.export_rows,
            version=__version__,
            registry=metrics.registry,
            demo_accounts=demo_accounts,
        )
        running.web_port = await stack.enter_async_context(
            serve_web(create_app(services), settings.http.host, settings.http.port)
        )
        stream = await stack.enter_async_context(
            StreamServer(
                hub,
                authenticate=accounts.authenticate,
                host=settings.http.host,
                port=settings.http.stream_port,
                page_port=lambda: running.web_port,
                allowed_origins=settings.http.allowed_origins,
                commands=commander,
                max_clients=settings.http.max_clients,
                deflate=settings.http.deflate,
                privacy=privacy,
            )
        )
        running.stream_port = stream.port
        accounts.on_revoked(stream.revoke)
        tasks.start(tick(hub), "tick")
        tasks.start(forget_commands(commands, settings.database.keep_commands_days), "clean-up")
        if pool is not None:
            tasks.start(watch_recogniser(pool, running, hub), "recogniser")
        log.info("gateway_started", web=running.web_port, stream=running.stream_port, pbxs=sorted(by_name))
        yield running
        log.info("gateway_stopping")


async def _language_model(settings: Settings, stack: AsyncExitStack) -> LanguageModel | None:
    llm = settings.llm
    if llm.url is None:
        return None
    key = llm.read_secret() if llm.secret or llm.secret_file else ""
    return await stack.enter_async_context(
        LanguageModel(str(llm.url), llm.model, key=key, timeout_s=llm.timeout_s)
    )


async def _engine_pool(
    settings: Settings, stack: AsyncExitStack, say: Callable[[str], None]
) -> EnginePool | None:
    if settings.asr.engine == "none":
        return None
    config = asr_config(settings)
    if config.engine == "http":
        say(f"speech is transcribed by {config.url}")
    else:
        say(f"loading the speech model {Path(config.model).name} ({config.device}, {config.compute_type})")
    return await stack.enter_async_context(EnginePool(config))


def _link(
    running: Runtime,
    pbx: PbxSettings,
    first: str,
    journal: JournalWriter,
    tasks: Tasks,
    follow: Callable[[str], Awaitable[None]],
) -> None:
    settings = running.settings
    profiles = [agent.model() for agent in settings.agents if (agent.pbx or first) == pbx.name]
    tracker = CallTracker(
        pbx.name,
        [line.model() for line in settings.lines],
        profiles,
        missed_limit=settings.desk.missed_limit,
    )
    picture = PbxState(tracker, journal, running.bus, running.calls)
    link = PbxLink(pbx, picture.on_event, picture.on_state, picture.on_snapshot)
    desks = AgentTimers(picture.queue_state, link, picture.tell, follow)
    picture.after = desks.wake
    running.pbx_states[pbx.name], running.links[pbx.name] = picture, link
    running.desks[pbx.name] = desks
    tasks.start(desks.run(), f"desks {pbx.name}")
    tasks.start(link.run(), f"pbx {pbx.name}")


async def _conduct(bus: LocalBus, running: Runtime, listening: LiveTranscription | None) -> None:
    """Act on facts, in order: listen when somebody answers, draft, finish when the call is over."""

    def wanted(fact: AnyFact) -> bool:
        return isinstance(fact, CallAnswered | CallEnded | CallUpdated | CallHeld) or (
            isinstance(fact, UtteranceHeard) and fact.utterance.final
        )

    async for fact in bus.subscribe(wanted):
        try:
            await _on_fact(fact, running, listening)
        except Exception:
            # One call's trouble is not another's: it is told, and the next fact is taken.
            log.exception("fact_not_handled", fact=type(fact).__name__)


async def _on_fact(fact: AnyFact, running: Runtime, listening: LiveTranscription | None) -> None:
    if isinstance(fact, CallAnswered) and not fact.call.has_work_order:
        return  # agents among themselves, or calling out: no work order, nothing to transcribe
    await running.orders.on_fact(fact)
    if isinstance(fact, CallUpdated) and fact.what == RECOVERED:
        await restore_hold_and_mute(running.links[fact.call.pbx], fact.call)
    if isinstance(fact, CallEnded):
        if fact.call.needs_post_call:
            running.finishing.begin(fact.call)
        return
    if listening is None:
        return
    if isinstance(fact, CallHeld):
        listening.hold(fact.call, fact.at)
        return
    if isinstance(fact, CallAnswered):
        await listening.start(running.links[fact.call.pbx], fact.call, fact.channel)
    elif isinstance(fact, CallUpdated) and fact.what in ("resync", RECOVERED) and fact.call.has_work_order:
        talk = next((one for one in fact.call.conversations if one.ended_at is None), None)
        if talk is not None:
            await listening.start(running.links[fact.call.pbx], fact.call, talk.channel)
