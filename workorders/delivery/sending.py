"""One HTTP request of a delivery: signed, sent, its reply read. The only place that speaks HTTP."""

import asyncio
import time
from collections.abc import Callable, Mapping

import aiohttp
from msgspec import Struct
from yarl import URL

from domain.delivery_failures import failure
from workorders.delivery.mapping.compiled import OrderMapping, Sending
from workorders.delivery.mapping.handover import Job, hand_over
from workorders.delivery.mapping.replies import MAX_WORDS, Reply
from workorders.delivery.outbox import Delivery
from workorders.delivery.retry import Outcome, retry_after
from workorders.delivery.signing import sign

USER_AGENT = "hotline-gateway"
MAX_REPLY = 64 * 1024
MAX_READ = 4 * 1024 * 1024
"""Bytes read of a reply to GET, which may have to be understood whole."""


class Endpoint(Struct, frozen=True):
    """A work-order system. Times are seconds."""

    id: str
    url: str
    secret: str | None
    """Signs what is sent; `None`: nothing is signed."""
    mapping: OrderMapping
    secrets: Mapping[str, str] = {}
    """Those that the mapping speaks of."""
    timeout_s: float = 10.0
    """Of each request."""
    max_attempts: int = 20
    first_retry_s: float = 5.0
    max_retry_s: float = 3600.0
    at_once: int = 8
    """Deliveries at once; the revisions of one order go one after the other all the same."""

    def __repr__(self) -> str:
        return f"Endpoint({self.id!r})"


class Sender:
    """Hands deliveries over to their endpoints."""

    def __init__(self, session: aiohttp.ClientSession, clock: Callable[[], float] = time.time) -> None:
        self._session = session
        self._clock = clock

    async def send(self, endpoint: Endpoint, delivery: Delivery) -> Outcome:
        """One try. What fails is told by the outcome."""
        job = Job(
            document=delivery.body,
            key=delivery.key,
            number=delivery.number,
            unsure=delivery.unsure,
            first=delivery.first,
            stored=delivery.stored,
        )
        requests = hand_over(endpoint.mapping, endpoint.url, endpoint.secrets, job)
        try:
            sending = next(requests)
            while True:
                reply = await self._exchange(endpoint, delivery, sending)
                if isinstance(reply, Outcome):
                    return reply
                sending = requests.send(reply)
        except StopIteration as over:
            outcome: Outcome = over.value
            return outcome
        finally:
            requests.close()

    async def _exchange(self, endpoint: Endpoint, delivery: Delivery, sending: Sending) -> Reply | Outcome:
        """The reply; an outcome where there is none."""
        try:
            headers = self._headers(endpoint, delivery, sending)
        except ValueError as error:
            return Outcome(state="retry", failure=failure("not_signed", text=str(error)[:MAX_WORDS]))
        return await exchange(self._session, endpoint, sending, headers, self._clock())

    def _headers(self, endpoint: Endpoint, delivery: Delivery, sending: Sending) -> dict[str, str]:
        """Raises ValueError: it cannot be signed."""
        headers = {"user-agent": USER_AGENT} | sending.headers
        if endpoint.secret is None or not endpoint.mapping.spec.sign or sending.body is None:
            return headers
        identity = endpoint.mapping.identity(delivery.key, sending.name)
        stamp = int(self._clock())
        return headers | {
            "webhook-id": identity,
            "webhook-timestamp": str(stamp),
            "webhook-signature": sign(endpoint.secret, identity, stamp, sending.body),
        }


async def exchange(
    session: aiohttp.ClientSession,
    endpoint: Endpoint,
    sending: Sending,
    headers: Mapping[str, str],
    now: float,
) -> Reply | Outcome:
    """Make one request; an outcome where there is no reply. `now`: POSIX seconds."""
    most = MAX_READ if sending.method == "GET" else MAX_REPLY
    try:
        async with (
            asyncio.timeout(endpoint.timeout_s),
            session.request(
                sending.method,
                URL(sending.url, encoded=True),
                data=sending.body,
                headers=headers,
                allow_redirects=False,
            ) as response,
        ):
            body = await _beginning(response, most)
            wait = retry_after(response.headers.get("retry-after"), now, response.headers.get("date"))
            told = {name.lower(): value for name, value in response.headers.items()}
            secrets = [one for one in endpoint.secrets.values() if one]
            return Reply(response.status, told, body, retry_after_s=wait, secrets=secrets)
    except TimeoutError:
        return Outcome(state="retry", failure=failure("no_answer", seconds=f"{endpoint.timeout_s:g}"))
    except (aiohttp.ClientError, OSError, ValueError) as error:
        why = failure("no_connection", kind=type(error).__name__, text=str(error)[:MAX_WORDS])
        return Outcome(state="retry", failure=why)


async def _beginning(response: aiohttp.ClientResponse, most: int) -> bytes:
    """The reply, as far as it is read at all; it may come in pieces."""
    reply = b""
    while len(reply) < most and (piece := await response.content.read(most - len(reply))):
        reply += piece
    return reply
