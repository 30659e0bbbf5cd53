"""Handing one order over: which requests are made, one after the other, and what their replies mean.

Without I/O: `hand_over` yields requests, and is sent their replies.
"""

from collections.abc import Generator, Mapping
from typing import Any

import msgspec
from msgspec import Struct

from domain.delivery_failures import failure
from workorders.delivery.mapping.compiled import Find, OrderMapping, Request, Sending, base_scope
from workorders.delivery.mapping.errors import MappingError
from workorders.delivery.mapping.replies import Reply, refusal
from workorders.delivery.mapping.spec import Phase
from workorders.delivery.mapping.templates import ERRORS
from workorders.delivery.retry import Outcome, Verdict, verdict

NUMBERLESS = (
    "the system has the order, but its number is not known, for its reply had none: mend id of the request"
    " that creates orders, and let find look for it"
)

Handover = Generator[Sending, Reply, Outcome]


class Job(Struct, frozen=True):
    """One revision of an order that is to be handed over."""

    document: bytes
    key: str
    number: str | None = None
    """The system's number of the order, known from an earlier revision."""
    unsure: bool = False
    """An earlier try, or revision, may have arrived without our knowing."""
    first: bool = True
    """The system was never to get an earlier revision."""
    stored: bool = False
    """The system has an earlier revision."""


class _SwitchError(Exception):
    """The order is there already, from an earlier revision."""

    def __init__(self, number: str) -> None:
        self.number = number


def hand_over(mapping: OrderMapping, url: str, secrets: Mapping[str, str], job: Job) -> Handover:
    """Yield the requests of one order; what becomes of it is returned."""
    scope = base_scope(url) | {
        "key": job.key,
        "number": job.number,
        "unsure": job.unsure,
        "vars": mapping.spec.vars,
        "secrets": secrets,
        "requests": {},
    }
    try:
        if mapping.reads_order:
            scope |= _order(job.document)
        if job.number is not None:
            return (yield from _carry_out(mapping, "update", scope, job))
        try:
            return (yield from _carry_out(mapping, "new", scope, job))
        except _SwitchError as there:
            scope |= {"number": there.number, "requests": {}}
            return (yield from _carry_out(mapping, "update", scope, job))
    except MappingError as error:
        return Outcome(state="retry", failure=error.message)
    except ERRORS as error:
        why = failure("map_fails", place="requests", text=str(error)[:200])
        return Outcome(state="retry", failure=why)


def _order(document: bytes) -> dict[str, Any]:
    try:
        order = msgspec.json.decode(document)
        fields = {name: one["value"] for name, one in order.get("fields", {}).items()}
    except (ValueError, AttributeError, KeyError, TypeError, RecursionError):
        raise MappingError("map_fails", place="order", text="what is to be sent is no order") from None
    return {"order": order, "fields": fields}


def _carry_out(mapping: OrderMapping, phase: Phase, scope: dict[str, Any], job: Job) -> Handover:
    number, last = scope["number"], None
    scope["texts"] = mapping.texts(scope)
    for request in mapping.requests:
        if not request.applies(phase, scope):
            continue
        known: dict[str, Any] = {}
        if request.find is not None and job.unsure:
            found = yield from _look(request, request.find, scope)
            if isinstance(found, Outcome):
                return found
            if found is not None:
                known = {"id": found}
                if phase == "new" and request.name == mapping.number and not job.first:
                    raise _SwitchError(found)
        if not known:
            if job.stored and request.spec.phase == "new" and request.spec.method != "GET":
                raise MappingError("map_fails", place=request.place, text=NUMBERLESS)
            reply = yield request.sending(scope, job.document)
            state = _judged(request, reply)
            if state != "delivered":
                return _failed(request, mapping, reply, state)
            last = reply.status
            known = _known(request, reply, scope)
        scope["requests"][request.name] = known
        if request.name == mapping.number and phase == "new":
            number = known.get("id")
        elif request.name == mapping.number and request.spec.phase == "each":
            number = known.get("id") or number
    # Where every request was found to be carried out, nothing was answered.
    return Outcome(state="delivered", status=last or 200, external_id=number)


def _look(
    request: Request, find: Find, scope: dict[str, Any]
) -> Generator[Sending, Reply, str | Outcome | None]:
    """The id of what is there; `None`: nothing is; an outcome: it could not be found out."""
    reply = yield find.sending(scope)
    if reply.status == 404:
        return None
    state = verdict(reply.status)
    if state == "delivered" and reply.document is not None:
        return reply.found(find.id.ready(scope))
    why = refusal(reply, f"{request.name}.find")
    state = "retry" if state == "delivered" else state
    return Outcome(state=state, status=reply.status, failure=why, retry_after_s=reply.retry_after_s)


def _judged(request: Request, reply: Reply) -> Verdict:
    spec = request.spec
    state = verdict(reply.status, success=spec.success, already=spec.already, again=spec.retry)
    if state != "delivered" or reply.status in spec.already or request.success_if is None:
        return state
    return "delivered" if reply.says(request.success_if) else "retry"


def _failed(request: Request, mapping: OrderMapping, reply: Reply, state: Verdict) -> Outcome:
    if 200 <= reply.status < 300:
        why = failure("not_accepted", status=reply.status, said=reply.words)
    else:
        why = refusal(reply, request.name if len(mapping.requests) > 1 else "")
    return Outcome(state=state, status=reply.status, failure=why, retry_after_s=reply.retry_after_s)


def _known(request: Request, reply: Reply, scope: dict[str, Any]) -> dict[str, Any]:
    """What later requests can use of it."""
    known: dict[str, Any] = {"status": reply.status, "headers": reply.headers, "reply": reply.document}
    found = reply.found(request.id.ready(scope)) if request.id else None
    return known if found is None else known | {"id": found}
