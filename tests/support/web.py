"""The web application over whatever services a test gives it."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fastapi import APIRouter, FastAPI
from prometheus_client import REGISTRY, CollectorRegistry

from agents.accounts.service import AccountService
from domain.audit import AuditEntry
from domain.calls import Call
from domain.lines import Line
from domain.order_status import OrderStatus
from domain.orders import Order
from domain.visibility.policy import OPEN, Privacy
from gateway.export.tables import TableContext
from gateway.export.words import Language, Words
from gateway.health import ReadinessCheck
from gateway.stream.state import LiveView
from gateway.web import app as web
from gateway.web.access import Access
from gateway.web.auditing import note_into
from gateway.web.exports import Exporter
from gateway.web.options import WebOptions
from gateway.web.pages import DIST
from gateway.web.routes import (
    accounts,
    administration,
    audit,
    calls,
    commands,
    deliveries,
    described,
    directory,
    exports,
    history,
    operation,
    orders,
    recordings,
    screen_pop,
    session,
    softphone,
    welcome,
)
from gateway.web.routes.session import DeskProfile


class Nothing:
    """Stands for what a test has none of: no drafts, no recordings, an audit that is not kept."""

    async def timeline(self, order_id: str) -> list[OrderStatus]:
        return []

    async def get_unsaved(self, _: str) -> dict[str, str]:
        return {}

    async def keep_unsaved(self, order_id: str, texts: Mapping[str, str | None], *, by: str) -> None:
        return

    async def note(self, _: AuditEntry) -> None:
        return


@dataclass(frozen=True)
class WebServices:
    """What the application under test stands on; `None`: it has none, and its routes are left out."""

    accounts: AccountService
    live: LiveView
    orders: Any
    calls: Any
    deliveries: Any
    commands: Any = None
    audit: Any = None
    administration: Any = None
    directory: Any = None
    history: Any = None
    audio: Any = None
    softphones: Any = None
    pops: Any = None
    drafts: Any = None
    live_call: Callable[[str], Call | None] = lambda _: None
    checks: Sequence[ReadinessCheck] = ()
    lines: Sequence[Line] = ()
    field_labels: Mapping[str, str] = field(default_factory=dict)
    forms: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    agent_names: Mapping[str, str] = field(default_factory=dict)
    pause_reasons: Sequence[str] = ()
    desk_login: bool = False
    softphone_urls: Sequence[str] = ()
    stream_port: Callable[[], int | None] = lambda: None
    public_stream_url: str | None = None
    allowed_origins: Sequence[str] = ()
    privacy: Privacy = OPEN
    secure_cookies: bool = False
    timezone: str = "Asia/Shanghai"
    export_rows: int = 500_000
    version: str = "0.0.0"
    registry: CollectorRegistry = REGISTRY
    check_timeout_s: float = 3.0
    demo_accounts: Sequence[tuple[str, str]] = ()


@dataclass(frozen=True)
class _Calls:
    """Calls, with the recordings of the audio service."""

    calls: Any
    audio: Any

    def __getattr__(self, name: str) -> Any:
        return getattr(self.calls, name)

    async def list_recordings(self, call_id: str) -> Sequence[Any]:
        found: Sequence[Any] = await self.audio.list_recordings(call_id) if self.audio else ()
        return found


def create_app(
    services: WebServices,
    dist: Path = DIST,
    more: Callable[[Access], Sequence[APIRouter]] = lambda _: (),
) -> FastAPI:
    """The application over `services` and `more`, with the browser app built in `dist`."""
    options = WebOptions(
        version=services.version,
        allowed_origins=services.allowed_origins,
        secure_cookies=services.secure_cookies,
        softphone_urls=services.softphone_urls,
        stream_port=services.stream_port,
        public_stream_url=services.public_stream_url,
    )

    async def get_call(call_id: str) -> Call | None:
        found: Call | None = services.live_call(call_id) or await services.calls.get_call(call_id)
        return found

    async def get_order(order_id: str) -> Order | None:
        found: Order | None = await services.orders.get_order(order_id)
        return found

    access = Access(services.accounts.authenticate, get_call, get_order, services.privacy)
    return web.create_app([*_routers(services, access, options), *more(access)], options, dist)


def _routers(of: WebServices, access: Access, options: WebOptions) -> list[APIRouter]:
    note = note_into(of.audit or Nothing())

    def field_names(order: Order) -> Collection[str]:
        form = next((line.form for line in of.lines if line.id == order.line), "general")
        return {one.name for one in of.forms.get(form, ())}

    def house(language: Language) -> TableContext:
        agents = {key: one.name for key, one in of.live.values("agents")}
        return TableContext(of.lines, of.timezone, of.field_labels, agents, Words(language))

    profile = DeskProfile(
        timezone=of.timezone,
        lines=of.lines,
        agent_names=of.agent_names,
        field_labels=of.field_labels,
        forms=of.forms,
        pause_reasons=of.pause_reasons,
        desk_login=of.desk_login,
        phones_of=of.softphones.kinds if of.softphones else lambda _: (),
    )
    exporter = Exporter(access, note, house, timezone=of.timezone, rows=of.export_rows)
    exports.live(exporter, of.live.values)
    exports.accounts(exporter, of.accounts.list_accounts)
    exports.deployment(exporter, of.administration)
    orders_of_call: Any = getattr(of.orders, "orders_of_call", None)
    routers = [
        accounts.router(access, of.accounts, note),
        calls.router(access, _Calls(of.calls, of.audio), orders_of_call, Nothing().timeline),
        deliveries.router(access, of.deliveries),
        described.router(access),
        operation.router(access, of.checks, of.registry, check_timeout_s=of.check_timeout_s),
        orders.router(access, of.orders, of.drafts or Nothing(), Nothing(), field_names, note),
        session.router(access, of.accounts, profile, options),
        welcome.router(of.demo_accounts),
    ]
    if of.administration is not None:
        routers.append(administration.router(access, of.administration, note))
    if of.history is not None:
        routers.append(history.router(access, of.history))
        exports.history(exporter, of.history)
    if of.audit is not None:
        routers.append(audit.router(access, of.audit))
    for service, module in (
        (of.commands, commands),
        (of.directory, directory),
        (of.pops, screen_pop),
        (of.softphones, softphone),
    ):
        if service is not None:
            routers.append(module.router(access, service))
    if of.audio is not None:
        routers.append(recordings.router(access, of.audio, note))
    return [*routers, exporter.router]
