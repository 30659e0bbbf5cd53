"""Takes what work-order systems tell of orders: checks who tells it, keeps it once, passes it on."""

import hashlib
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import structlog
from standardwebhooks import WebhookVerificationError

from domain.facts import OrderStatusTold
from domain.order_status import OrderStatus
from domain.orders import Order
from domain.text import find_unstorable
from workorders.delivery.signing import webhook
from workorders.inbound.reading import StatusReader, StatusRefusedError, Told

log = structlog.get_logger(__name__)

MAX_ID = 200
Kept = Literal["new", "known", "replayed", "reused"]
"""`known`: it was told before and is told again; `replayed`: this very message was; `reused`: its id was."""


class SenderUnknownError(Exception):
    """The message is not from a work-order system that we know, or was altered, or is old."""


class StatusStore(Protocol):
    """Port: what was told of orders."""

    async def find_order(self, endpoint: str, order_id: str, number: str) -> Order | None:
        """The order of that id, else the one to which that endpoint gave that number."""
        ...

    async def keep(self, told: OrderStatusTold, *, stamp: int, digest: str) -> Kept:
        """Keep it, with its fact in the journal, unless it is there already.

        `stamp`: when it was signed, POSIX seconds; `digest` of its body.
        """
        ...


@dataclass(frozen=True)
class Sender:
    """One work-order system that tells of its orders."""

    secret: str
    reader: StatusReader


class StatusService:
    """The one door for what comes back."""

    def __init__(
        self,
        senders: Mapping[str, Sender],
        store: StatusStore,
        publish: Callable[[OrderStatusTold], None],
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`senders` by the id of the endpoint; `publish` is told what is new."""
        self._senders = senders
        self._store = store
        self._publish = publish
        self._clock = clock

    async def receive(
        self, endpoint: str, headers: Mapping[str, str], body: bytes
    ) -> tuple[Kept, OrderStatus]:
        """Take one message, signed according to Standard Webhooks; what came of it.

        Raises:
            SenderUnknownError: no such endpoint, a wrong signature, or one older than five minutes.
            StatusRefusedError: it is not understood.
            LookupError: there is no such order.
        """
        sender = self._senders.get(endpoint)
        if sender is None:
            raise SenderUnknownError
        told = sender.reader.read(_checked(sender, headers, body))
        order = await self._store.find_order(endpoint, told.order, told.number)
        if order is None:
            raise LookupError(told.order or told.number)
        status = self._status(endpoint, headers["webhook-id"], order, told)
        fact = OrderStatusTold(at=status.received_at, call_id=order.call_id, line=order.line, status=status)
        # Signed anew, a message was told again; not signed anew, somebody repeats what they have heard.
        stamp = int(float(headers["webhook-timestamp"]))
        kept = await self._store.keep(fact, stamp=stamp, digest=_digest(body))
        if kept == "new":
            self._publish(fact)
            log.info("order_status", order=order.id, endpoint=endpoint, step=status.step.value)
        else:
            log.warning("order_status_again", order=order.id, endpoint=endpoint, what=kept)
        return kept, status

    def _status(self, endpoint: str, message_id: str, order: Order, told: Told) -> OrderStatus:
        now = self._clock()
        return OrderStatus(
            id=f"{endpoint}/{message_id if len(message_id) <= MAX_ID else _digest(message_id.encode())}",
            order_id=order.id,
            endpoint=endpoint,
            step=told.step,
            at=told.at or now,
            received_at=now,
            unit=told.unit,
            person=told.person,
            deadline=told.deadline,
            text=told.text,
            word=told.word,
            satisfied=told.satisfied,
            resolved=told.resolved,
        )


def _checked(sender: Sender, headers: Mapping[str, str], body: bytes) -> Any:
    """The message of a sender who has the secret.

    Raises:
        SenderUnknownError: it is not theirs.
        StatusRefusedError: it is no JSON object, or holds text that cannot be stored.
    """
    named = {name: headers.get(name, "") for name in ("webhook-id", "webhook-timestamp", "webhook-signature")}
    try:
        webhook(sender.secret).verify(body, named, json_parse=False)
    except (WebhookVerificationError, ValueError):
        raise SenderUnknownError from None
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        raise StatusRefusedError("status_no_json") from None
    if not isinstance(document, dict):
        raise StatusRefusedError("status_no_json")
    if place := find_unstorable(document):
        raise StatusRefusedError("text_unstorable", place=place)
    return document


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
