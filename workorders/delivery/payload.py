"""The bytes that are delivered: one JSON document, described by `schema/order-v1.json`. Deterministic."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from msgspec import Struct, structs

from domain.calls import Call
from domain.numbers import told, told_name
from domain.orders import FieldValue, Order
from domain.outcomes import OUTCOMES, CallOutcome, OutcomeKind, Sends
from domain.spans import LAST_INSTANT, covered, elapsed
from domain.transcripts import Utterance
from workorders.delivery.links import DocumentLinks, Grant, Shared
from workorders.forms import labels

SCHEMA = "hotline-order/1"
SCHEMA_FILE = Path(__file__).parents[1] / "schema" / "order-v1.json"
"""The JSON Schema of what is delivered."""


class RecordingRef(Struct, frozen=True):
    """A recording as the receiver is told of it; `duration` in seconds."""

    sha256: str
    duration: float
    path: str
    id: str = ""


class LinksFor(Struct, frozen=True):
    """What makes the links of a document, and the work-order system that it is for."""

    links: DocumentLinks
    endpoint: str


def build_payload(
    order: Order,
    call: Call,
    utterances: Sequence[Utterance],
    recordings: Sequence[RecordingRef],
    kind: OutcomeKind = OUTCOMES[0],
    links: LinksFor | None = None,
) -> bytes:
    """UTF-8 JSON; `kind` is that of the order's outcome. The same arguments give the same bytes.

    `links`: with them, the receiver can fetch recordings and transcript.
    """
    named = labels()
    known = [name for name in named if name in order.fields]
    others = sorted(set(order.fields) - set(known))
    talked = covered(
        (talk.started_at, talk.ended_at or call.ended_at or talk.started_at) for talk in call.conversations
    )
    document = {
        "schema": SCHEMA,
        "id": order.id,
        "number": order.number,
        "revision": order.revision,
        "line": order.line,
        "source": order.source,
        "status": _status(order, kind),
        "changes": list(order.changes),
        "withdrawn": (
            {"at": instant(order.withdrawn.at), "by": order.withdrawn.by, "reason": order.withdrawn.reason}
            if order.withdrawn is not None
            else None
        ),
        "outcome": _outcome(order.outcome, kind) if order.outcome is not None else None,
        "created_at": instant(order.created_at),
        "submitted_at": instant(order.submitted_at),
        "call": {
            "id": call.id,
            "line": order.line,
            "caller_number": told(call.caller.number),
            "caller_name": told_name(call.caller.name),
            "called_number": call.called,
            "queue": call.queue,
            "agent": call.agent,
            "started_at": instant(call.started_at),
            "queued_at": instant(call.queued_at),
            "answered_at": instant(call.answered_at),
            "ended_at": instant(call.ended_at),
            "end_reason": call.end_reason.value if call.end_reason else None,
            "ended_by": call.ended_by.value if call.ended_by else None,
            "hangup_cause": call.hangup_cause,
            "source": call.source.value,
            "waited_s": _between(call.queued_at, call.answered_at),
            "talked_s": round(talked, 3),
            "ivr": dict(sorted(call.ivr.items())),
        },
        # What of the call it is about, seconds of call time; `null`: to its end.
        "part": {"begins_s": round(order.begins, 3), "ends_s": _rounded(order.ends)},
        "fields": {name: _field(named.get(name, name), order.fields[name]) for name in [*known, *others]},
        "offers": {
            name: [_field(named.get(name, name), one) for one in several]
            for name, several in sorted(order.offers.items())
        },
        "related": [
            {
                "order": one.order_id,
                "created_at": instant(one.created_at),
                "reason": one.reason,
                "title": one.title,
            }
            for one in order.related
        ],
        "duplicate_of": order.duplicate_of,
        "supplements": [
            {
                "call": one.call_id,
                "at": instant(one.at),
                "by": one.by,
                "urges": one.urges,
                "text": one.text,
            }
            for one in order.supplements
        ],
        "transcript": [
            {
                "id": said.id,
                "side": said.side.value,
                "start": round(said.start, 3),
                "end": round(said.end, 3),
                "text": said.text,
                "confidence": round(said.confidence, 3),
                "source": said.source.value,
            }
            for said in utterances
        ],
        "recordings": [
            {
                "sha256": one.sha256,
                "duration_s": round(one.duration, 3),
                "path": one.path,
                "url": _link(links, order, Shared.RECORDING, one.id),
                "webvtt_url": _link(links, order, Shared.WEBVTT, one.id),
            }
            for one in recordings
        ],
        "transcript_url": _link(links, order, Shared.TRANSCRIPT, call.id) if utterances else None,
        "links_expire_at": instant(links.links.expiry(_left_at(order))) if links is not None else None,
    }
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()


def _link(links: LinksFor | None, order: Order, shared: Shared, identity: str) -> str | None:
    if links is None or not identity:
        return None
    until = links.links.expiry(_left_at(order))
    return links.links.url(Grant(shared, links.endpoint, order.id, identity, until))


def _left_at(order: Order) -> float:
    return order.submitted_at if order.submitted_at is not None else order.updated_at


def _status(order: Order, kind: OutcomeKind) -> str:
    if order.withdrawn is not None:
        return "withdrawn"
    return "closed" if kind.sends is Sends.CLOSED else "open"


def _outcome(outcome: CallOutcome, kind: OutcomeKind) -> dict[str, Any]:
    """What became of the call; what its kind does not ask for is empty."""
    return {
        "kind": outcome.kind,
        "label": kind.name,
        "at": instant(outcome.at),
        "by": outcome.by,
        "answer": outcome.answer,
        "article": outcome.article,
        "target": outcome.target,
        "reason": outcome.reason,
    }


def instant(at: float | None) -> str | None:
    """RFC 3339 in UTC with milliseconds; `None` also for what no calendar has."""
    if at is None or not 0.0 <= at <= LAST_INSTANT:
        return None
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _between(start: float | None, end: float | None) -> float | None:
    return None if start is None or end is None else round(elapsed(start, end), 3)


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 3)


def _field(label: str, field: FieldValue) -> dict[str, Any]:
    return {
        "label": label,
        "value": field.value,
        "confidence": round(field.confidence, 3),
        "method": field.method.value,
        "evidence": [structs.asdict(one) for one in field.evidence],
    }
