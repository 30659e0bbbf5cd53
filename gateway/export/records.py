"""What other systems are told of calls, orders and statuses: flat records, as JSON Lines and as CSV. Pure.

Times are RFC 3339 in UTC, durations seconds.
"""

import json
from collections.abc import Iterable, Sequence
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from domain.calls import Call
from domain.history import OrderOfCall, summary_of
from domain.order_status import OrderStatus
from domain.orders import Order
from domain.ratings import survey_of
from gateway.export import csv
from workorders.delivery.payload import instant

FIELD = "field."
"""Before the names of order fields among the columns of a CSV file."""


def about(text: str) -> Meta:
    """A description, for the API's document."""
    return Meta(description=text)


At = Annotated[str | None, about("RFC 3339, UTC")]


class OrderRecord(Struct, frozen=True, kw_only=True):
    """An order that has left, as it left last."""

    id: Annotated[str, about("of the order; a record of the same id replaces the one before")]
    revision: Annotated[int, about("counts up with each time that it leaves")]
    call_id: Annotated[str, about("of the call that it was made on")]
    line: Annotated[str, about("the line that was called")]
    source: Annotated[str, about("call, or enterprise_code, app, website, monitoring, grid")]
    state: Annotated[str, about("submitted: on its way; delivered; dead: given up; dropped: nothing is sent")]
    outcome: Annotated[str | None, about("what became of the call (docs/workorders.md)")]
    created_at: Annotated[str | None, about("RFC 3339, UTC, like all times")]
    submitted_at: At
    delivered_at: At
    updated_at: Annotated[str | None, about("when it changed last in the gateway")]
    external_id: Annotated[str | None, about("its number in the work-order system")]
    duplicate_of: Annotated[str | None, about("the order that it repeats, according to the agent")]
    withdrawn_at: Annotated[str | None, about("when it was withdrawn")]
    step: Annotated[str | None, about("the latest step that its work-order system told, e.g. signed, closed")]
    step_at: Annotated[str | None, about("when that step happened")]
    step_unit: Annotated[str | None, about("the unit of that step")]
    deadline: Annotated[str | None, about("until when it is to be dealt with")]
    fields: Annotated[
        dict[str, str | bool | list[str]], about("field name → value; in CSV one column each, `field.<name>`")
    ]


class CallRecord(Struct, frozen=True, kw_only=True):
    """A call that has ended."""

    id: Annotated[str, about("of the call")]
    pbx: Annotated[str, about("the PBX that it was on")]
    direction: Annotated[str, about("inbound, outbound or internal")]
    line: Annotated[str | None, about("the line that was called")]
    queue: Annotated[str | None, about("the queue that the caller waited in last")]
    caller_number: Annotated[str, about("of the caller, masked as the policy says")]
    called_number: Annotated[str, about("what was dialled")]
    started_at: Annotated[str | None, about("RFC 3339, UTC, like all times")]
    answered_at: At
    ended_at: At
    end_reason: Annotated[str | None, about("completed, abandoned_queue, queue_timeout, …")]
    ended_by: Annotated[str | None, about("caller, agent or system")]
    waited_s: Annotated[float | None, about("seconds from the queue to the answer, or to the end")]
    talked_s: Annotated[float, about("seconds in conversation, holds included")]
    held_s: Annotated[float, about("seconds on hold")]
    transfers: Annotated[int, about("how often it was passed on")]
    agents: Annotated[list[str], about("ids of the agents who talked, in order")]
    satisfied: Annotated[bool | None, about("what the caller answered to the survey, where they were asked")]
    resolved: Annotated[bool | None, about("what the caller answered to the survey, where they were asked")]


class StatusRecord(Struct, frozen=True, kw_only=True):
    """One thing that a work-order system told of an order."""

    id: Annotated[str, about("of the message")]
    order_id: Annotated[str, about("of the order")]
    endpoint: Annotated[str, about("the work-order system")]
    step: Annotated[str, about("accepted, dispatched, signed, handled, answered, closed, …")]
    at: Annotated[str | None, about("when it happened")]
    received_at: Annotated[str | None, about("when it was told")]
    unit: Annotated[str, about("who deals with it")]
    person: Annotated[str, about("who deals with it there")]
    deadline: Annotated[str | None, about("until when it is to be dealt with")]
    text: Annotated[str, about("what was done, or why it comes back")]
    satisfied: Annotated[bool | None, about("whether the citizen was content, where that was told")]
    resolved: Annotated[bool | None, about("whether the matter was resolved, in the citizen's words")]


Record = OrderRecord | CallRecord | StatusRecord


def record_of(value: OrderOfCall | Call | OrderStatus) -> Record:
    """The record of what has changed, which is masked already where it has to be."""
    if isinstance(value, Call):
        return _call(value)
    if isinstance(value, OrderStatus):
        return _status(value)
    return _order(value.order.as_left, value.status)


def _order(order: Order, status: OrderStatus | None) -> OrderRecord:
    return OrderRecord(
        id=order.id,
        revision=order.revision,
        call_id=order.call_id,
        line=order.line,
        source=order.source,
        state=order.state.value,
        outcome=order.outcome_kind,
        created_at=instant(order.created_at),
        submitted_at=instant(order.submitted_at),
        delivered_at=instant(order.delivered_at),
        updated_at=instant(order.updated_at),
        external_id=order.external_id,
        duplicate_of=order.duplicate_of,
        withdrawn_at=None if order.withdrawn is None else instant(order.withdrawn.at),
        step=None if status is None else status.step.value,
        step_at=None if status is None else instant(status.at),
        step_unit=None if status is None else status.unit,
        deadline=None if status is None else instant(status.deadline),
        fields={name: _plain(field.value) for name, field in sorted(order.fields.items())},
    )


def _plain(value: Any) -> str | bool | list[str]:
    if isinstance(value, list | tuple):
        return [str(one) for one in value]
    return value if isinstance(value, bool) else str(value)


def _call(call: Call) -> CallRecord:
    told, survey = summary_of(call, None), survey_of(call.ivr)
    return CallRecord(
        id=call.id,
        pbx=call.pbx,
        direction=call.direction.value,
        line=call.line,
        queue=call.queue,
        caller_number=told.caller.number,
        called_number=call.called,
        started_at=instant(call.started_at),
        answered_at=instant(call.answered_at),
        ended_at=instant(call.ended_at),
        end_reason=None if call.end_reason is None else call.end_reason.value,
        ended_by=None if call.ended_by is None else call.ended_by.value,
        waited_s=None if told.waited is None else round(told.waited, 3),
        talked_s=round(told.talked, 3),
        held_s=round(told.held, 3),
        transfers=told.transfers,
        agents=list(told.agents),
        satisfied=survey.satisfied,
        resolved=survey.resolved,
    )


def _status(status: OrderStatus) -> StatusRecord:
    return StatusRecord(
        id=status.id,
        order_id=status.order_id,
        endpoint=status.endpoint,
        step=status.step.value,
        at=instant(status.at),
        received_at=instant(status.received_at),
        unit=status.unit,
        person=status.person,
        deadline=instant(status.deadline),
        text=status.text,
        satisfied=status.satisfied,
        resolved=status.resolved,
    )


def json_lines(records: Iterable[Record]) -> bytes:
    """One JSON object a line, in UTF-8."""
    return b"".join(msgspec.json.encode(one) + b"\n" for one in records)


def csv_lines(kind: type[Record], records: Iterable[Record], field_names: Sequence[str]) -> bytes:
    """The header, then a row for each record (RFC 4180, UTF-8), harmless in spreadsheet programs.

    `field_names`: the order fields that have a column, in order.
    """
    names = [name for name in kind.__struct_fields__ if name != "fields"]
    fields = list(field_names) if "fields" in kind.__struct_fields__ else []
    rows = [[*names, *(FIELD + name for name in fields)]]
    for one in records:
        held = getattr(one, "fields", {})
        values = [*(getattr(one, name) for name in names), *(held.get(name) for name in fields)]
        rows.append([_cell(value) for value in values])
    return csv.lines(rows, csv.harmless)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, list):
        return "、".join(value)
    return value if isinstance(value, str) else json.dumps(value)
