"""The HTTP API and the stream, made of what the modules add to them."""

from collections.abc import Sequence

from fastapi import FastAPI

from agents.accounts.service import AccountService
from agents.accounts.tokens import TokenService
from domain.calls import Call
from gateway import __version__
from gateway.asterisk.softphones import Softphones, websocket_urls
from gateway.call_control.service import CommandService
from gateway.export.tables import TableContext
from gateway.export.words import Language, Words
from gateway.metrics import registry_of
from gateway.module import Module
from gateway.runtime import Runtime
from gateway.storage.command_log import CommandRepository
from gateway.storage.intake import CallsAndMatters
from gateway.stream.hub import Hub
from gateway.stream.server import StreamServer
from gateway.stream.state import LiveView
from gateway.supervision import Supervisor
from gateway.telephony import Telephony
from gateway.web.access import Access
from gateway.web.app import create_app
from gateway.web.auditing import note_into
from gateway.web.exports import Exporter
from gateway.web.options import WebOptions
from gateway.web.routes import described, operation, session, welcome
from gateway.web.routes.session import DeskProfile
from workorders.forms import FORMS, labels
from workorders.service import OrderService


def web_app(modules: Sequence[Module], runtime: Runtime) -> FastAPI:
    """The web application: the modules' routes, tables, checks and metrics, and what all of them share."""
    settings = runtime.settings
    options = WebOptions(
        version=__version__,
        allowed_origins=settings.http.allowed_origins,
        secure_cookies=settings.http.secure_cookies,
        softphone_urls=websocket_urls(runtime.get(Telephony).pbxs),
        stream_port=lambda: runtime.stream_port or None,
        public_stream_url=settings.http.public_stream_url,
    )
    access = _access(runtime)
    exporter = _exporter(runtime, access)
    for module in modules:
        module.exports(exporter)
    checks = [runtime.get(Supervisor).check, *(check for module in modules for check in module.checks())]
    registry = registry_of([module.metrics for module in modules])
    return create_app(
        [
            *(router for module in modules for router in module.routes(access)),
            session.router(access, runtime.get(AccountService), desk_profile(runtime), options),
            operation.router(access, checks, registry),
            described.router(access),
            welcome.router(runtime.demo_accounts),
            exporter.router,
        ],
        options,
    )


def stream_server(runtime: Runtime) -> StreamServer:
    """The stream's server; a session that ends closes its connections."""
    settings, accounts = runtime.settings, runtime.get(AccountService)
    server = StreamServer(
        runtime.get(Hub),
        authenticate=accounts.authenticate,
        host=settings.http.host,
        port=settings.http.stream_port,
        page_port=lambda: runtime.web_port,
        allowed_origins=settings.http.allowed_origins,
        commands=runtime.get(CommandService),
        max_clients=settings.http.clients(len(settings.agents)),
        deflate=settings.http.deflate,
        privacy=settings.privacy.model(),
        tend=runtime.get(Supervisor).tend,
    )
    accounts.on_revoked(server.revoke)
    return server


def desk_profile(runtime: Runtime) -> DeskProfile:
    """What the configuration says that every page needs."""
    settings = runtime.settings
    return DeskProfile(
        timezone=settings.timezone,
        lines=[line.model() for line in settings.lines],
        agent_names={agent.id: agent.name for agent in settings.agents},
        field_labels=labels(),
        forms=FORMS,
        outcomes=settings.outcome_kinds,
        pause_reasons=settings.desk.pause_reasons,
        desk_login=settings.desk.login == "desk",
        phones_of=runtime.get(Softphones).kinds,
    )


def _access(runtime: Runtime) -> Access:
    telephony, calls = runtime.get(Telephony), runtime.get(CallsAndMatters)

    async def get_call(call_id: str) -> Call | None:
        # What the screens show is ahead of the database by one batch.
        return telephony.live_call(call_id) or await calls.get_call(call_id)

    return Access(
        runtime.get(AccountService).authenticate,
        get_call,
        runtime.get(OrderService).get_order,
        runtime.settings.privacy.model(),
        runtime.get(TokenService).authenticate,
    )


def _exporter(runtime: Runtime, access: Access) -> Exporter:
    settings, view = runtime.settings, runtime.get(LiveView)
    lines, field_labels = [line.model() for line in settings.lines], labels()
    outcomes = settings.outcome_kinds

    def context(language: Language) -> TableContext:
        agents = {key: one.name for key, one in view.values("agents")}
        return TableContext(lines, settings.timezone, field_labels, agents, Words(language), outcomes)

    return Exporter(
        access,
        note_into(runtime.get(CommandRepository)),
        context,
        timezone=settings.timezone,
        rows=settings.http.export_rows,
    )
