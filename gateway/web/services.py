"""What the HTTP API needs from the rest of the house: ports and one bundle of them."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from msgspec import Struct
from prometheus_client import REGISTRY, CollectorRegistry

from agents.accounts.service import AccountService, Identity, Role
from domain.audit import AuditEntry
from domain.calls import Call
from domain.commands import Answered
from domain.deliveries import DeliveryView
from domain.deployment import Overview, Place
from domain.directory import Directory
from domain.history import (
    AuditFilter,
    CallFilter,
    CallSummary,
    DeliveryFilter,
    Key,
    OrderFilter,
    OrderOfCall,
    Page,
)
from domain.lines import Line
from domain.orders import Order, OrderState
from domain.phones import PhoneKind
from domain.refusals import Refusal
from domain.screen_pop import ScreenPop
from domain.softphones import Softphone
from domain.transcripts import Utterance
from domain.visibility.policy import OPEN, WHOLE, Privacy, Visibility
from gateway.storage.calls import StoredRecording
from gateway.stream.state import LiveView
from recordings.playback import Clip, Peaks


class Check(Struct, frozen=True):
    """One thing the gateway needs to serve. `detail` names the cause and the fix where `ok` is false."""

    name: str
    """`pbx:<name>`, `database`, `asr` …"""
    ok: bool
    detail: str = ""


class OrderRefusedError(Refusal):
    """An order cannot be changed like that. `status` is HTTP's (409 conflict, 422 bad value); `code` tells
    programs what to do about it."""

    def __init__(self, reason: str, /, *, status: int = 409, code: str = "", **params: Any) -> None:
        self.status = status
        self.code = code
        super().__init__(reason, **params)


class OrderPort(Protocol):
    """Port: work orders."""

    async def get_order(self, order_id: str) -> Order | None: ...

    async def order_of_call(self, call_id: str) -> Order | None:
        """The call's order as it is now; `None`: it has none (not served, or not from outside)."""
        ...

    async def list_orders(self, *, state: OrderState | None = None, limit: int = 50) -> Sequence[Order]:
        """Newest first."""
        ...

    async def set_fields(
        self,
        order_id: str,
        fields: Mapping[str, Any],
        *,
        revision: int | None,
        by: str,
        seen: Mapping[str, Any] | None = None,
    ) -> Order | None:
        """Set what the agent typed (method AGENT, never overwritten afterwards); `None`: no such order.

        `fields` maps field name to a string, a bool or a list of strings. With `revision` given and not
        the order's own, somebody else was faster. `seen` is what the desk showed for these fields when
        typing began: refused only where another desk has typed something else there since.

        Raises:
            OrderRefusedError: already submitted, stale revision or overtaken (409), unknown field or bad
                value (422).
        """
        ...

    async def mark_duplicate(self, order_id: str, original: str | None, *, by: str) -> Order | None:
        """This order repeats the order `original` (of a chain: its first), or `None`: it does not.

        `None`: no such order.

        Raises:
            OrderRefusedError: already submitted (409); no such original, or the order itself (422).
        """
        ...

    async def submit(self, order_id: str, *, by: str) -> Order | None:
        """Hand the order to the outbox; again for one already submitted changes nothing. `None`: no such.

        Raises:
            OrderRefusedError: a required field is missing, or the order is dead.
        """
        ...


class DraftPort(Protocol):
    """Port: what is typed into an order's fields but not, or not yet, valid."""

    async def drafts(self, order_id: str) -> dict[str, str]:
        """Field name → text as typed."""
        ...

    async def keep_drafts(self, order_id: str, drafts: Mapping[str, str | None], *, by: str) -> None:
        """Keep these texts; `None` lets that field's go, others stay. The last to write counts."""
        ...


class CallPort(Protocol):
    """Port: calls and what was said on them."""

    async def get_call(self, call_id: str) -> Call | None: ...

    async def list_calls(
        self, *, agent: str | None = None, before: float | None = None, limit: int = 50
    ) -> Sequence[Call]:
        """Newest first by `started_at`; only those with `started_at < before`; only `agent`'s, if given."""
        ...

    async def list_utterances(self, call_id: str) -> Sequence[Utterance]:
        """In order of `start`."""
        ...


class HistoryPort(Protocol):
    """Port: calls and orders looked back at, as `visibility` may see them. Newest first; `before` is a page's
    `next`."""

    async def find_calls(
        self, wanted: CallFilter, before: Key | None, limit: int, *, visibility: Visibility = WHOLE
    ) -> Page[CallSummary]: ...

    async def find_orders(
        self, wanted: OrderFilter, before: Key | None, limit: int, *, visibility: Visibility = WHOLE
    ) -> Page[OrderOfCall]: ...

    def every_call(
        self, wanted: CallFilter, *, visibility: Visibility = WHOLE
    ) -> AsyncIterator[Sequence[CallSummary]]: ...

    def every_order(
        self, wanted: OrderFilter, *, visibility: Visibility = WHOLE
    ) -> AsyncIterator[Sequence[OrderOfCall]]: ...

    def every_delivery(
        self, wanted: DeliveryFilter, *, visibility: Visibility = WHOLE
    ) -> AsyncIterator[Sequence[DeliveryView]]: ...

    def every_entry(
        self, wanted: AuditFilter, *, visibility: Visibility = WHOLE
    ) -> AsyncIterator[Sequence[AuditEntry]]: ...


class AudioPort(Protocol):
    """Port: recordings and what can be cut from a call."""

    async def list_recordings(self, call_id: str) -> Sequence[StoredRecording]:
        """By offset."""
        ...

    async def get_recording(self, recording_id: str) -> StoredRecording | None: ...

    async def file_of(self, recording: StoredRecording) -> Path | None:
        """Its WAV file; `None`: it is gone."""
        ...

    async def peaks(self, recording: StoredRecording, points: int) -> Peaks | None:
        """`None`: its file is gone."""
        ...

    async def clip(self, call: Call, start: float, end: float) -> Clip | None:
        """`None`: there is no audio of that time."""
        ...


class SoftphoneUnavailableError(Exception):
    """A browser phone is meant to be there, but a secret it needs is not; the text names the fix."""


class SoftphonePort(Protocol):
    """Port: browser phones."""

    def kinds(self, agent_id: str | None) -> Sequence[PhoneKind]:
        """The phones that agent has: `browser`, `desk`, or both."""
        ...

    async def of(self, agent_id: str | None) -> Softphone | None:
        """What that agent's browser registers with; `None`: no agent, or a desk phone.

        Raises:
            SoftphoneUnavailableError: its password, or the TURN servers' secret, is not to be had.
        """
        ...


class PopPort(Protocol):
    """Port: screen-pops."""

    async def pop(self, call: Call, role: Role) -> ScreenPop:
        """What is known of that call's caller, masked for that role."""
        ...


class CommandPort(Protocol):
    """Port: commands of the desk."""

    async def command(self, who: Identity, command_id: str, name: str, args: Any) -> Answered:
        """Do it once and answer; asked again with the same id, the first answer. Never raises."""
        ...


class AuditPort(Protocol):
    """Port: who did what."""

    async def note(self, entry: AuditEntry) -> None:
        """Append."""
        ...

    async def list_audit(
        self,
        *,
        username: str | None = None,
        since: float | None = None,
        until: float | None = None,
        before: int | None = None,
        limit: int = 100,
    ) -> Sequence[AuditEntry]:
        """Newest first; only those with `seq < before` and `since <= at < until`."""
        ...


class DeliveryPort(Protocol):
    """Port: the outbox."""

    async def list_deliveries(self, *, state: str | None = None, limit: int = 50) -> Sequence[DeliveryView]:
        """Newest first."""
        ...

    async def retry_delivery(self, delivery_id: str) -> DeliveryView | None:
        """Make it due now, dead or waiting; one already delivered is left alone. `None`: no such."""
        ...


class DirectoryPort(Protocol):
    """Port: whom a call can be passed to."""

    def now(self) -> Directory: ...


class AdministrationPort(Protocol):
    """Port: the deployment, as administrators see it."""

    async def overview(self) -> Overview: ...

    async def doctor(self) -> Sequence[Any]:
        """Findings (`what`, `ok`, `detail`, `fix`, `warning`) on everything; takes seconds."""
        ...

    async def places(self, since: float) -> Sequence[Place]:
        """Where orders made from `since` on are about, the most frequent first."""
        ...


__all__ = [
    "AdministrationPort",
    "AuditPort",
    "CallPort",
    "Check",
    "CommandPort",
    "DeliveryPort",
    "DeliveryView",
    "DraftPort",
    "OrderPort",
    "OrderRefusedError",
    "PopPort",
    "ReadinessCheck",
    "SoftphonePort",
    "SoftphoneUnavailableError",
    "WebServices",
]

ReadinessCheck = Callable[[], Awaitable[Check]]


@dataclass(frozen=True)
class WebServices:
    """Everything the web application stands on; made by the composition root."""

    accounts: AccountService
    live: LiveView
    orders: OrderPort
    calls: CallPort
    deliveries: DeliveryPort
    commands: CommandPort | None = None
    audit: AuditPort | None = None
    administration: AdministrationPort | None = None
    directory: DirectoryPort | None = None
    history: HistoryPort | None = None
    audio: AudioPort | None = None
    softphones: SoftphonePort | None = None
    pops: PopPort | None = None
    drafts: DraftPort | None = None
    live_call: Callable[[str], Call | None] = lambda _: None
    """A call that is going on, as the screens see it."""
    checks: Sequence[ReadinessCheck] = ()
    lines: Sequence[Line] = ()
    field_labels: Mapping[str, str] = field(default_factory=dict)
    """Order field name -> what people call it, in the order in which a form shows them."""
    forms: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    """Form -> its fields (`workorders.forms.Field`), as an agent fills them in."""
    agent_names: Mapping[str, str] = field(default_factory=dict)
    pause_reasons: Sequence[str] = ()
    desk_login: bool = False
    """Agents log in to and out of their queues at the desk; else they are in them by configuration."""
    softphone_urls: Sequence[str] = ()
    """Websockets of the PBXs: browser phones connect there."""
    stream_port: Callable[[], int | None] = lambda: None
    """The stream's bound port, asked at each use (it may be bound later than the web)."""
    public_stream_url: str | None = None
    """What browsers use behind a proxy, e.g. `wss://desk.example/stream`."""
    allowed_origins: Sequence[str] = ()
    privacy: Privacy = OPEN
    """Who sees whole what is known of callers."""
    secure_cookies: bool = False
    timezone: str = "Asia/Shanghai"
    """Of what belongs to no line."""
    export_rows: int = 500_000
    """An export holds at most so many."""
    version: str = "0.0.0"
    registry: CollectorRegistry = REGISTRY
    check_timeout_s: float = 3.0
    demo_accounts: Sequence[tuple[str, str]] = ()
    """Shown on the login page of a demo only: (username, password)."""
