"""Delivering orders over HTTP: signed, repeated until they are there, given up only for a reason.

Signed as Standard Webhooks says: `webhook-id`, `webhook-timestamp`, `webhook-signature`. The receiver
recognises a repetition by `webhook-id`.
"""

import asyncio
import contextlib
import json
import re
import time
from collections.abc import Callable, Sequence

import aiohttp
import structlog
from msgspec import Struct

from domain.delivery_failures import failure, given_up
from domain.messages import Message
from domain.orders import Order
from workorders.delivery.outbox import Delivery, OutboxStore
from workorders.delivery.retry import Outcome, delay, retry_after, verdict
from workorders.delivery.signing import sign

log = structlog.get_logger(__name__)

MAX_REPLY = 64 * 1024
MAX_WORDS = 200
"""Characters kept of what the other side, or the network, said."""
IDLE_S = 5.0
BATCH = 20
NUMBER_KEYS = ("id", "order_no", "external_id")
NUMBER = re.compile(r"[\w./-]{1,100}")

__all__ = ["DeliveryWorker", "Endpoint", "Outcome"]


class Endpoint(Struct, frozen=True):
    """A work-order system. Times are seconds."""

    id: str
    url: str
    secret: str
    timeout_s: float = 10.0
    max_attempts: int = 20
    first_retry_s: float = 5.0
    max_retry_s: float = 3600.0

    def __repr__(self) -> str:
        return f"Endpoint({self.id!r})"


OnOutcome = Callable[[Delivery, Outcome, Order | None], None]
"""Called after each try; with the order, if its state changed with it."""


class DeliveryWorker:
    """Empties the outbox for as long as `run()` runs. Endpoints do not wait for each other."""

    def __init__(
        self,
        store: OutboxStore,
        endpoints: Sequence[Endpoint],
        *,
        clock: Callable[[], float] = time.time,
        on_outcome: OnOutcome | None = None,
    ) -> None:
        self._store = store
        self._endpoints = {endpoint.id: endpoint for endpoint in endpoints}
        self._clock = clock
        self._on_outcome = on_outcome
        self._wakes = {endpoint.id: asyncio.Event() for endpoint in endpoints}

    def wake(self) -> None:
        """Something new is in the outbox."""
        for event in self._wakes.values():
            event.set()

    async def run(self) -> None:
        """Deliver until cancelled. What was being sent then is sent again after its lease."""
        async with (
            aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session,
            asyncio.TaskGroup() as group,
        ):
            for endpoint in self._endpoints.values():
                group.create_task(self._serve(session, endpoint), name=f"deliver to {endpoint.id}")

    async def _serve(self, session: aiohttp.ClientSession, endpoint: Endpoint) -> None:
        """One endpoint: one delivery at a time, so that orders arrive in order and nothing is piled up."""
        wake = self._wakes[endpoint.id]
        lease_s = 60.0 + endpoint.timeout_s * (BATCH + 1)
        while True:
            wake.clear()
            pause = IDLE_S
            try:
                for delivery in await self._store.claim(endpoint.id, self._clock(), lease_s, BATCH):
                    await self._settle(delivery, endpoint, await self._send(session, endpoint, delivery))
                due = await self._store.next_due(endpoint.id)
                if due is not None:
                    pause = min(IDLE_S, max(0.0, due - self._clock()))
            except Exception:
                # The store is away for a moment: nothing is lost, it is asked again.
                log.exception("outbox_failed", endpoint=endpoint.id)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(wake.wait(), pause + 0.01)

    async def _send(self, session: aiohttp.ClientSession, endpoint: Endpoint, delivery: Delivery) -> Outcome:
        stamp = int(self._clock())
        try:
            signature = sign(endpoint.secret, delivery.key, stamp, delivery.body)
        except ValueError as error:
            return Outcome(state="retry", failure=failure("not_signed", text=str(error)[:MAX_WORDS]))
        headers = {
            "content-type": "application/json; charset=utf-8",
            "user-agent": "hotline-gateway",
            "webhook-id": delivery.key,
            "webhook-timestamp": str(stamp),
            "webhook-signature": signature,
        }
        try:
            async with (
                asyncio.timeout(endpoint.timeout_s),
                session.post(
                    endpoint.url, data=delivery.body, headers=headers, allow_redirects=False
                ) as response,
            ):
                reply = await response.content.read(MAX_REPLY)
                status = response.status
                wait = retry_after(response.headers.get("retry-after"))
        except TimeoutError:
            return Outcome(state="retry", failure=failure("no_answer", seconds=f"{endpoint.timeout_s:g}"))
        except (aiohttp.ClientError, OSError, ValueError) as error:
            why = failure("no_connection", kind=type(error).__name__, text=str(error)[:MAX_WORDS])
            return Outcome(state="retry", failure=why)
        state = verdict(status)
        if state == "delivered":
            return Outcome(state=state, status=status, external_id=_number(reply))
        if 300 <= status < 400:
            why = failure("redirected", status=status)
        elif words := _plain(reply):
            why = failure("answered_with", status=status, said=words)
        else:
            why = failure("answered", status=status)
        return Outcome(state=state, status=status, failure=why, retry_after_s=wait)

    async def _settle(self, delivery: Delivery, endpoint: Endpoint, outcome: Outcome) -> None:
        now = self._clock()
        attempts = delivery.attempts + 1
        why = outcome.failure or Message("")
        if outcome.state == "retry" and attempts >= endpoint.max_attempts:
            why = given_up(why, attempts)
            outcome = Outcome(state="dead", status=outcome.status, failure=why)
        known = {"order": delivery.order_id, "endpoint": delivery.endpoint, "attempt": attempts}
        if outcome.state == "delivered":
            order = await self._store.delivered(delivery.id, now, outcome.status or 0, outcome.external_id)
            log.info("order_delivered", external_id=outcome.external_id, **known)
        elif outcome.state == "dead":
            order = await self._store.dead(delivery.id, now, outcome.status, why)
            log.error("order_undeliverable", reason=why.text, **known)
        else:
            wait = max(
                delay(attempts, endpoint.first_retry_s, endpoint.max_retry_s), outcome.retry_after_s or 0.0
            )
            order = None
            await self._store.retry(delivery.id, now, now + wait, outcome.status, why)
            log.warning("order_delivery_failed", reason=why.text, retry_in_s=round(wait, 1), **known)
        if self._on_outcome is not None:
            self._on_outcome(delivery, outcome, order)


def _number(reply: bytes) -> str | None:
    """The other system's number for the order, if its reply is JSON and has a plausible one."""
    try:
        data = json.loads(reply)
    except (ValueError, RecursionError):
        return None
    if not isinstance(data, dict):
        return None
    for key in NUMBER_KEYS:
        value = data.get(key)
        if isinstance(value, int) and not isinstance(value, bool):
            value = str(value)
        if isinstance(value, str) and NUMBER.fullmatch(value):
            return value
    return None


def _plain(reply: bytes) -> str:
    """The beginning of a reply as one harmless line."""
    text = reply[:400].decode("utf-8", "replace")
    return "".join(c if c.isprintable() else " " for c in text).strip()[:MAX_WORDS]
