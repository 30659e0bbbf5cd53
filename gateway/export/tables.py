"""Tables of what happened (calls, orders, deliveries, audit), and agents and queues now. Pure."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import TypeVar
from zoneinfo import ZoneInfo

from msgspec import Struct

from domain.audit import AuditEntry
from domain.deliveries import DeliveryView
from domain.figures import AgentFigures, QueueFigures
from domain.hangup_causes import in_words
from domain.history import CallSummary, OrderOfCall, text_of
from domain.lines import Line
from domain.outcomes import OUTCOMES, OutcomeKind
from domain.queues import AgentStatus
from domain.spans import LAST_INSTANT
from gateway.export.cells import Cell, Column, Table
from gateway.export.words import (
    AGENT_STATES,
    COMMA,
    DELIVERY_STATES,
    DIRECTIONS,
    END_REASONS,
    ENDED_BY,
    HEADERS,
    ORDER_STATES,
    ROLES,
    SCOPES,
    SHEETS,
    YES_NO,
    Both,
    Words,
)

T = TypeVar("T")
DAY_S = 86_400.0


class AgentNow(Struct, frozen=True):
    """An agent and their figures for the day so far."""

    agent: AgentStatus
    figures: AgentFigures | None


class TableContext:
    """What all tables of a deployment share: line names and time zones, field labels, agent names, language.

    Names configured by the deployment (lines, fields, reasons) are used as they are.
    """

    def __init__(
        self,
        lines: Sequence[Line],
        timezone: str,
        field_labels: Mapping[str, str],
        agents: Mapping[str, str],
        words: Words,
        outcomes: Sequence[OutcomeKind] = OUTCOMES,
    ) -> None:
        """Set up the tables. `timezone` is for what belongs to no line; `agents` maps ids to names."""
        self._outcomes: Mapping[str, Both] = {one.id: (one.name, one.name_en) for one in outcomes}
        self._names = {line.id: line.name for line in lines}
        self._zones = {line.id: ZoneInfo(line.timezone) for line in lines}
        self._usual = ZoneInfo(timezone)
        self.labels = field_labels
        self._agents = agents
        self.words = words

    def table(self, name: str, columns: Sequence[Column[T]]) -> Table[T]:
        """Build the table with that name (a key of `SHEETS`)."""
        return Table(self.words(SHEETS[name]), tuple(columns))

    def column(self, name: str, value: Callable[[T], Cell], width: int = 14) -> Column[T]:
        """Build a column from its key in `HEADERS`."""
        return Column(self.words(HEADERS[name]), value, width)

    def at(self, instant: float | None, line: str | None = None) -> datetime | None:
        """Convert an instant to the line's local time."""
        if instant is None or not 0.0 <= instant < LAST_INSTANT - DAY_S:
            return None
        zone = self._zones.get(line or "", self._usual)
        return datetime.fromtimestamp(int(instant), zone).replace(tzinfo=None)

    def line(self, line: str | None) -> str:
        """Return a line's name."""
        return self._names.get(line or "", line or "")

    def agent(self, agent: str | None) -> str:
        """Format an agent as `王芳(1001)`."""
        name = self._agents.get(agent or "")
        return f"{name}({agent})" if name else agent or ""

    def outcome(self, kind: str | None) -> str:
        """Return the name of a call's outcome; of one that is not configured any more, its id."""
        named = self._outcomes.get(kind or "")
        return self.words(named) if named is not None else kind or ""

    def listed(self, parts: Sequence[str]) -> str:
        """Join several values in one cell."""
        return self.words(COMMA).join(parts)


def calls(context: TableContext) -> Table[CallSummary]:
    """Calls with their orders."""
    at, column, of = context.at, context.column, context.words.of
    return context.table(
        "calls",
        [
            column("call_id", lambda one: one.id, 24),
            column("began", lambda one: at(one.started_at, one.line), 20),
            column("ended", lambda one: at(one.ended_at, one.line), 20),
            column("direction", lambda one: of(DIRECTIONS, one.direction), 8),
            column("line", lambda one: context.line(one.line), 18),
            column("queue", lambda one: one.queue),
            column("caller_number", lambda one: one.caller.number, 16),
            column("caller_name", lambda one: one.caller.name),
            column("called", lambda one: one.called),
            column("agent", lambda one: context.listed([context.agent(agent) for agent in one.agents]), 18),
            column("end_reason", lambda one: of(END_REASONS, one.end_reason) if one.end_reason else "", 16),
            column("ended_by", lambda one: of(ENDED_BY, one.ended_by) if one.ended_by else "", 8),
            column("hangup_cause", lambda one: context.words(in_words(one.hangup_cause)), 20),
            column("waited", lambda one: _seconds(one.waited), 10),
            column("talked", lambda one: _seconds(one.talked), 10),
            column("held", lambda one: _seconds(one.held), 10),
            column("transfers", lambda one: one.transfers, 10),
            column("recorded", lambda one: of(YES_NO, one.recorded), 8),
            column("order_id", lambda one: one.order.id if one.order else "", 38),
            column("order_title", lambda one: one.order.title if one.order else "", 40),
            column("order_state", lambda one: of(ORDER_STATES, one.order.state) if one.order else "", 10),
            column("outcome", lambda one: context.outcome(one.order.outcome) if one.order else "", 12),
        ],
    )


def orders(context: TableContext) -> Table[OrderOfCall]:
    """Orders with every field of every form."""
    at, column, of = context.at, context.column, context.words.of
    fixed: list[Column[OrderOfCall]] = [
        column("order_id", lambda one: one.order.id, 38),
        column("created", lambda one: at(one.order.created_at, one.order.line), 20),
        column("submitted", lambda one: at(one.order.submitted_at, one.order.line), 20),
        column("delivered_at", lambda one: at(one.order.delivered_at, one.order.line), 20),
        column("state", lambda one: of(ORDER_STATES, one.order.state), 10),
        column("outcome", lambda one: context.outcome(one.order.outcome_kind), 12),
        column("line", lambda one: context.line(one.order.line), 18),
        column("agent", lambda one: context.agent(one.call.agent) if one.call else "", 14),
        column("caller_number", lambda one: one.call.caller.number if one.call else "", 16),
        column("external_id", lambda one: one.order.external_id, 20),
        column("call_id", lambda one: one.order.call_id, 24),
    ]
    return context.table("orders", [*fixed, *(_field(context, *named) for named in context.labels.items())])


def deliveries(context: TableContext) -> Table[DeliveryView]:
    """The delivery outbox."""
    at, column, of = context.at, context.column, context.words.of
    return context.table(
        "deliveries",
        [
            column("delivery_id", lambda one: one.id, 38),
            column("order_id", lambda one: one.order_id, 38),
            column("endpoint", lambda one: one.endpoint),
            column("state", lambda one: of(DELIVERY_STATES, one.state), 10),
            column("attempts", lambda one: one.attempts, 10),
            column("created", lambda one: at(one.created_at), 20),
            column("delivered_at", lambda one: at(one.delivered_at), 20),
            column("last_attempt", lambda one: at(one.tried_at), 20),
            column("next_attempt", lambda one: at(one.next_at), 20),
            column("last_error", lambda one: one.last_error.text if one.last_error else "", 40),
        ],
    )


def audit(context: TableContext) -> Table[AuditEntry]:
    """The audit log."""
    column, of = context.column, context.words.of
    return context.table(
        "audit",
        [
            column("sequence", lambda one: one.seq, 10),
            column("time", lambda one: context.at(one.at), 20),
            column("account", lambda one: one.username),
            column("role", lambda one: of(ROLES, one.role)),
            column("agent", lambda one: context.agent(one.agent)),
            column("did", lambda one: one.name, 20),
            column("args", lambda one: one.args, 40),
            column("ok", lambda one: of(YES_NO, one.ok), 8),
            column("code", lambda one: one.code),
            column("message", lambda one: one.message, 30),
            column("command_id", lambda one: one.command_id, 38),
        ],
    )


def agents(context: TableContext) -> Table[AgentNow]:
    """Agents as they are now, with their day."""
    at, column, of = context.at, context.column, context.words.of
    return context.table(
        "agents",
        [
            column("agent_id", lambda one: one.agent.id),
            column("name", lambda one: one.agent.name),
            column("phone", lambda one: one.agent.phone, 18),
            column("state", lambda one: of(AGENT_STATES, one.agent.state), 10),
            column("reason", lambda one: one.agent.reason),
            column("state_since", lambda one: at(one.agent.since), 20),
            column("queues", lambda one: context.listed(one.agent.queues), 24),
            column("first_instant", _of_day(lambda day: at(day.start)), 20),
            column("taken", _of_day(lambda day: day.taken), 8),
            column("missed", _of_day(lambda day: day.missed), 8),
            column("available_s", _of_day(lambda day: _seconds(day.available_s))),
            column("ringing_s", _of_day(lambda day: _seconds(day.ringing_s))),
            column("talked", _of_day(lambda day: _seconds(day.talk_s))),
            column("held", _of_day(lambda day: _seconds(day.hold_s))),
            column("after_call", _of_day(lambda day: _seconds(day.wrap_up_s))),
            column("paused_s", _of_day(lambda day: _seconds(day.paused_s))),
            column("signed_in_s", _of_day(lambda day: _seconds(day.logged_in_s))),
            column("occupancy", _of_day(lambda day: _ratio(day.occupancy))),
        ],
    )


def queues(context: TableContext) -> Table[QueueFigures]:
    """Queue figures: the day so far, and its intervals."""
    at, column = context.at, context.column
    return context.table(
        "queues",
        [
            column("queue", lambda one: one.queue),
            column("pbx", lambda one: one.pbx),
            column("line", lambda one: context.line(one.line), 18),
            column("scope", lambda one: context.words.of(SCOPES, one.interval is None), 8),
            column("from", lambda one: at(one.start, one.line), 20),
            column("to", lambda one: at(one.end, one.line), 20),
            column("offered", lambda one: one.offered, 8),
            column("answered", lambda one: one.answered, 8),
            column("answered_in_time", lambda one: one.answered_in_time, 10),
            column("abandoned", lambda one: one.abandoned, 8),
            column("short_abandoned", lambda one: one.short_abandoned, 10),
            column("timeout", lambda one: one.timeout, 8),
            column("other", lambda one: one.other, 10),
            column("withdrawn", lambda one: one.withdrawn, 8),
            column("unseen", lambda one: one.unseen, 8),
            column("transferred", lambda one: one.transferred, 8),
            column("missed_rings", lambda one: one.missed, 10),
            column("service_level", lambda one: _ratio(one.service_level), 10),
            column("connection_rate", lambda one: _ratio(one.connection_rate), 10),
            column("abandon_rate", lambda one: _ratio(one.abandon_rate), 10),
            column("average_answer", lambda one: _seconds(one.average_speed_of_answer_s), 16),
            column("average_abandon", lambda one: _seconds(one.average_time_to_abandon_s), 16),
            column("average_handling", lambda one: _seconds(one.average_handling_time_s), 16),
            column("longest_wait", lambda one: _seconds(one.longest_wait_s), 12),
            column("occupancy", lambda one: _ratio(one.occupancy), 10),
        ],
    )


def _field(context: TableContext, name: str, label: str) -> Column[OrderOfCall]:
    def value(one: OrderOfCall) -> Cell:
        field = one.order.fields.get(name)
        if field is not None and isinstance(field.value, bool):
            return context.words.of(YES_NO, field.value)
        if field is not None and isinstance(field.value, list | tuple):
            return context.listed([str(part) for part in field.value])
        return text_of(one.order, name)

    return Column(label, value, 40 if name in ("title", "summary") else 14)


def _of_day(value: Callable[[AgentFigures], Cell]) -> Callable[[AgentNow], Cell]:
    return lambda one: value(one.figures) if one.figures is not None else None


def _seconds(value: float | None) -> Cell:
    return None if value is None else round(value)


def _ratio(value: float | None) -> Cell:
    return None if value is None else round(value, 4)
