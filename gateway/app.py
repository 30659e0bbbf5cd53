"""The gateway, built from its modules: the table of contents. Each capability is one line of `MODULES`.

`docs/architecture.md` walks through the code, file by file.
"""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

import structlog

from gateway.facts.bus import LocalBus
from gateway.facts.consumers import Consumers
from gateway.module import Module, open_modules
from gateway.modules.accounts import AccountsModule
from gateway.modules.administration import AdministrationModule
from gateway.modules.alarms import AlarmsModule
from gateway.modules.call_control import CallControlModule
from gateway.modules.delivery import DeliveryModule
from gateway.modules.figures import FiguresModule
from gateway.modules.history import HistoryModule
from gateway.modules.ivr import IvrModule
from gateway.modules.journal import JournalModule
from gateway.modules.lessons import LessonsModule
from gateway.modules.order_status import OrderStatusModule
from gateway.modules.orders import OrdersModule
from gateway.modules.post_call import PostCallModule
from gateway.modules.recogniser import RecogniserModule
from gateway.modules.recordings import RecordingsModule
from gateway.modules.reference import ReferenceModule
from gateway.modules.reports import ReportsModule
from gateway.modules.screen_pop import ScreenPopModule
from gateway.modules.softphones import SoftphonesModule
from gateway.modules.storage import StorageModule
from gateway.modules.stream import StreamModule
from gateway.modules.telephony import TelephonyModule
from gateway.modules.transcription import TranscriptionModule
from gateway.ownership import Ownership
from gateway.runtime import Runtime, StartPbxs
from gateway.serving import stream_server, web_app
from gateway.settings import Settings
from gateway.storage.journal import JournalWriter
from gateway.supervision import Job, Supervisor
from gateway.telephony import Telephony
from gateway.web.serve import serve_web

log = structlog.get_logger(__name__)

MODULES: tuple[type[Module], ...] = (
    StorageModule,  # the database, and the door for facts
    JournalModule,  # old facts, packed
    AccountsModule,  # who may sign in
    ReferenceModule,  # places, units, enterprises, glossary
    FiguresModule,  # the day's figures of queues and agents
    StreamModule,  # what the screens show, live
    LessonsModule,  # what orders that came back teach
    OrdersModule,  # work orders: drafted, filled in, submitted
    DeliveryModule,  # orders reach the work-order systems
    OrderStatusModule,  # and what becomes of them comes back
    RecogniserModule,  # the speech engine, and live audio coming in
    IvrModule,  # FastAGI: greeting, choice of line
    TelephonyModule,  # PBX links, call and queue state, agents' timers
    CallControlModule,  # commands of desk and wall
    TranscriptionModule,  # calls are listened to while they go on
    RecordingsModule,  # recordings kept and heard again
    PostCallModule,  # after the hang-up: recording, transcript, order
    ScreenPopModule,  # what is known of the caller
    SoftphonesModule,  # browser phones
    AlarmsModule,  # thresholds
    ReportsModule,  # figures that last, and reports of them
    HistoryModule,  # calls and orders of the past, the audit
    AdministrationModule,  # the deployment, the doctor
)
"""In order: a module may use what those before it provide."""


@asynccontextmanager
async def run_gateway(
    settings: Settings,
    *,
    pbxs: StartPbxs | None = None,
    demo_accounts: tuple[tuple[str, str], ...] = (),
    say: Callable[[str], None] = lambda _: None,
    modules: Sequence[type[Module]] = MODULES,
    ownership: Ownership | None = None,
    provided: Sequence[object] = (),
) -> AsyncIterator[Runtime]:
    """The whole gateway, up while the block runs.

    `pbxs` may bring up PBXs once our own ports are known; by default those of the settings are used.
    `say` is told what takes longer than a moment. `ownership`: the leases by which this process serves,
    where several share a database. `provided`: services that are there already.
    """
    async with AsyncExitStack() as stack:
        runtime = Runtime(settings, stack, start_pbxs=pbxs, demo_accounts=demo_accounts, say=say)
        runtime.ownership = ownership
        runtime.provide(Supervisor(), *provided)
        opened = [make() for make in modules]
        await open_modules(opened, runtime)
        _start(opened, runtime)
        http = settings.http
        watch = runtime.get(Supervisor).watch
        app = web_app(opened, runtime)
        runtime.provide(app)
        runtime.web_port = await runtime.enter(serve_web(app, http.host, http.port, watch))
        runtime.stream_port = (await runtime.enter(stream_server(runtime))).port
        linked = sorted(runtime.get(Telephony).pbxs)
        log.info("gateway_started", web=runtime.web_port, stream=runtime.stream_port, pbxs=linked)
        yield runtime
        log.info("gateway_stopping")
        await runtime.get(JournalWriter).spool_waiting()


def _start(modules: Sequence[Module], runtime: Runtime) -> None:
    """Connect listeners and consumers to the facts, then start the background work."""
    bus, consumers, supervisor = runtime.get(LocalBus), Consumers(), runtime.get(Supervisor)
    for module in modules:
        for listener in module.listeners():
            bus.listen(listener)
        for kind, consumer in module.consumers().items():
            consumers.register(kind, consumer)
    runtime.on_stop(supervisor.stop)
    facts = consumers.follow(bus)
    supervisor.start(Job("consumers", lambda: consumers.run(facts)))
    for module in modules:
        for job in module.jobs():
            supervisor.start(job)
