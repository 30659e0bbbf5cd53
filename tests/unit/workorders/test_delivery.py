"""Delivery to a real HTTP receiver that misbehaves in every way there is."""

import asyncio
import base64
import hashlib
import hmac
import time
from collections.abc import Callable

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from domain.messages import Message
from domain.orders import Order
from gateway.settings.mapping import mapping_of
from tests.support.receiver import Receiver, endpoint_settings, listening
from workorders.delivery.outbox import Delivery
from workorders.delivery.retry import delay, retry_after, verdict
from workorders.delivery.worker import DeliveryWorker, Endpoint, Outcome

SECRET = "a secret"
OURS = mapping_of(endpoint_settings("http://127.0.0.1:9/"), "Asia/Shanghai")


class MemoryOutbox:
    """The store's contract, kept in memory."""

    def __init__(self, *deliveries: Delivery) -> None:
        self.pending = {delivery.id: delivery for delivery in deliveries}
        self.leased: dict[str, float] = {}
        self.settled: dict[str, tuple[str, int | None, str | None]] = {}
        self.tries: list[tuple[int | None, str]] = []

    async def claim(self, endpoint: str, lease_s: float, limit: int) -> list[Delivery]:
        now = time.time()
        due = [
            one
            for one in self.pending.values()
            if one.endpoint == endpoint and one.next_attempt_at <= now and self.leased.get(one.id, 0) <= now
        ][:limit]
        self.leased |= {one.id: now + lease_s for one in due}
        return due

    async def delivered(self, delivery_id: str, status: int, external_id: str | None) -> None:
        del self.pending[delivery_id]
        self.settled[delivery_id] = ("delivered", status, external_id)

    async def retry(self, delivery_id: str, wait_s: float, status: int | None, why: Message) -> None:
        one = self.pending[delivery_id]
        self.tries.append((status, why.text))
        self.leased[delivery_id] = 0
        self.pending[delivery_id] = structs.replace(
            one, attempts=one.attempts + 1, next_attempt_at=time.time() + wait_s
        )

    async def dead(self, delivery_id: str, status: int | None, why: Message) -> None:
        del self.pending[delivery_id]
        self.settled[delivery_id] = ("dead", status, why.text)

    async def next_due_s(self, endpoint: str) -> float | None:
        times = [
            max(one.next_attempt_at, self.leased.get(one.id, 0))
            for one in self.pending.values()
            if one.endpoint == endpoint
        ]
        return min(times) - time.time() if times else None


def delivery(number: int = 1, endpoint: str = "main") -> Delivery:
    return Delivery(f"d{number}", f"o{number}", endpoint, f"o{number}.3", b'{"\xe5\xb7\xa5": 1}', 0, 0.0, 0.0)


def endpoint(url: str, name: str = "main", **more: float) -> Endpoint:
    made = Endpoint(
        name, url, SECRET, OURS, timeout_s=0.3, max_attempts=4, first_retry_s=0.02, max_retry_s=0.05
    )
    return structs.replace(made, **more)


async def deliver(
    store: MemoryOutbox, *endpoints: Endpoint, until: Callable[[], object], timeout: float = 5
) -> list[Outcome]:
    outcomes: list[Outcome] = []

    def on_outcome(_: Delivery, outcome: Outcome, __: Order | None) -> None:
        outcomes.append(outcome)

    worker = DeliveryWorker(store, endpoints, on_outcome=on_outcome)
    task = asyncio.create_task(worker.run())
    try:
        async with asyncio.timeout(timeout):
            while not until():  # noqa: ASYNC110
                await asyncio.sleep(0.01)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    return outcomes


async def ok(_: web.Request, __: int) -> web.StreamResponse:
    return web.json_response({"id": "GD-2026/1"}, status=201)


async def test_delivered_once_signed_with_the_receivers_number() -> None:
    receiver = Receiver(ok)
    store = MemoryOutbox(delivery())
    async with listening(receiver) as url:
        await deliver(store, endpoint(url), until=lambda: store.settled)
    assert store.settled == {"d1": ("delivered", 201, "GD-2026/1")}
    (body,), (headers,) = receiver.bodies, receiver.headers
    assert body == delivery().body
    assert headers["webhook-id"] == "o1.3"
    assert abs(int(headers["webhook-timestamp"]) - time.time()) < 5
    signed = f"o1.3.{headers['webhook-timestamp']}.".encode() + body
    digest = base64.b64encode(hmac.new(SECRET.encode(), signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{digest}"


@pytest.mark.parametrize(
    ("secret", "body", "words"),
    [("whsec_", b"{}", "secret is empty"), ("whsec_$", b"{}", "no base64"), (SECRET, b"\xff", "utf-8")],
)
async def test_what_cannot_be_signed_is_a_failed_try_that_says_why(
    secret: str, body: bytes, words: str
) -> None:
    receiver = Receiver(ok)
    store = MemoryOutbox(structs.replace(delivery(), body=body), delivery(9, "other"))
    async with listening(receiver) as url:
        endpoints = structs.replace(endpoint(url), secret=secret), endpoint(url, "other")
        await deliver(store, *endpoints, until=lambda: len(store.settled) == 2)
    assert store.settled["d9"][0] == "delivered"
    assert len(receiver.bodies) == 1
    assert [status for status, _ in store.tries] == [None] * 3
    for reason in (*(why for _, why in store.tries), store.settled["d1"][2]):
        assert reason is not None
        assert words in reason
    assert "given up after 4 tries" in str(store.settled["d1"][2])


async def test_an_endpoint_that_recovers_gets_it() -> None:
    async def flaky(request: web.Request, before: int) -> web.StreamResponse:
        return web.Response(status=503, text="later") if before < 2 else await ok(request, before)

    receiver = Receiver(flaky)
    store = MemoryOutbox(delivery())
    async with listening(receiver) as url:
        outcomes = await deliver(store, endpoint(url), until=lambda: store.settled)
    assert [one.state for one in outcomes] == ["retry", "retry", "delivered"]
    assert {headers["webhook-id"] for headers in receiver.headers} == {"o1.3"}


async def test_an_endpoint_that_is_down_is_tried_until_given_up() -> None:
    store = MemoryOutbox(delivery())
    await deliver(store, endpoint("http://127.0.0.1:9/orders"), until=lambda: store.settled)
    state, status, reason = store.settled["d1"]
    assert (state, status) == ("dead", None)
    assert reason is not None
    assert "given up after 4 tries" in reason
    assert len(store.tries) == 3


@pytest.mark.parametrize(("status", "words"), [(410, "HTTP 410"), (302, "redirects are not followed")])
async def test_a_refusal_for_good_is_dead_at_once(status: int, words: str) -> None:
    async def refuse(_: web.Request, __: int) -> web.StreamResponse:
        return web.Response(status=status, headers={"Location": "/elsewhere"}, text="no\x00\r\nway")

    receiver = Receiver(refuse)
    store = MemoryOutbox(delivery())
    async with listening(receiver) as url:
        await deliver(store, endpoint(url), until=lambda: store.settled)
    assert len(receiver.bodies) == 1
    reason = store.settled["d1"][2]
    assert reason is not None
    assert words in reason
    assert reason.isprintable()


async def test_a_slow_endpoint_is_not_waited_for_and_stalls_nobody() -> None:
    async def slow(_: web.Request, __: int) -> web.StreamResponse:
        await asyncio.sleep(30)
        return web.Response()

    store = MemoryOutbox(*(delivery(n, "slow") for n in range(5)), delivery(9, "quick"))
    async with listening(Receiver(slow)) as slow_url, listening(Receiver(ok)) as quick_url:
        began = time.monotonic()
        await deliver(
            store,
            endpoint(slow_url, "slow"),
            endpoint(quick_url, "quick"),
            until=lambda: "d9" in store.settled,
        )
        assert time.monotonic() - began < 1.0


@pytest.mark.parametrize(
    "reply", [b"\xff\xfe garbage", b"x" * 10_000_000, b'{"id": "<script>"}', b"[" * 50_000]
)
async def test_a_hostile_reply_counts_as_delivered_without_a_number(reply: bytes) -> None:
    async def hostile(_: web.Request, __: int) -> web.StreamResponse:
        return web.Response(body=reply)

    store = MemoryOutbox(delivery())
    async with listening(Receiver(hostile)) as url:
        await deliver(store, endpoint(url, timeout_s=3.0), until=lambda: store.settled)
    assert store.settled["d1"] == ("delivered", 200, None)


@pytest.mark.parametrize(
    ("success_if", "reply", "accepted"),
    [
        ("", b'{"success": false}', True),
        ("success == `true`", b'{"success": true, "id": "GD1"}', True),
        ("success == `true`", b'{"success": false, "message": "busy"}', False),
        ("success", b'{"success": "true"}', False),
        ("code == `0` && data.order_no != null", b'{"code": 0, "data": {"order_no": "1"}}', True),
        ("code == `0` && data.order_no != null", b'{"code": 0, "data": null}', False),
        ("code == `0`", b"<html>", False),
        ("code == `0`", b"[" * 50_000, False),
        ("code == `0`", b"", False),
        ("length(code) == `1`", b'{"code": 0}', False),
    ],
)
async def test_what_of_a_reply_means_success(success_if: str, reply: bytes, accepted: bool) -> None:
    async def answer(_: web.Request, __: int) -> web.StreamResponse:
        return web.Response(body=reply)

    store = MemoryOutbox(delivery())
    async with listening(Receiver(answer)) as url:
        told = mapping_of(endpoint_settings(url, success_if=success_if), "Asia/Shanghai")
        where = structs.replace(endpoint(url), mapping=told)
        await deliver(store, where, until=lambda: store.settled)
    state, status, words = store.settled["d1"]
    assert (state, status) == ("delivered" if accepted else "dead", 200)
    if not accepted:
        assert "HTTP 200, but not accepted" in str(words)
        assert len(store.tries) == 3


async def test_a_reply_that_comes_in_pieces_is_read_whole() -> None:
    async def pieces(request: web.Request, _: int) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for piece in (b'{"message": "', b"ok" * 100, b'", "id": ', b'"GD-7"}'):
            await response.write(piece)
            await asyncio.sleep(0.02)
        return response

    store = MemoryOutbox(delivery())
    async with listening(Receiver(pieces)) as url:
        await deliver(store, endpoint(url, timeout_s=3.0), until=lambda: store.settled)
    assert store.settled["d1"] == ("delivered", 200, "GD-7")


async def test_deliveries_go_side_by_side_as_many_as_the_endpoint_takes() -> None:
    together = most = 0

    async def slow(_: web.Request, __: int) -> web.StreamResponse:
        nonlocal together, most
        together += 1
        most = max(most, together)
        await asyncio.sleep(0.05)
        together -= 1
        return web.Response()

    store = MemoryOutbox(*(delivery(n) for n in range(30)))
    async with listening(Receiver(slow)) as url:
        where = structs.replace(endpoint(url, timeout_s=5.0), at_once=6)
        await deliver(store, where, until=lambda: len(store.settled) == 30)
    assert most == 6


async def test_what_became_of_it_is_noted_as_soon_as_the_database_takes_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Locked(MemoryOutbox):
        refused = 0

        async def delivered(self, delivery_id: str, status: int, external_id: str | None) -> None:
            if self.refused < 2:
                self.refused += 1
                raise OSError("database is locked")
            await super().delivered(delivery_id, status, external_id)

    monkeypatch.setattr("workorders.delivery.worker.SETTLE_PAUSES_S", (0.01, 0.01, 0.01))
    receiver, store = Receiver(ok), Locked(delivery())
    async with listening(receiver) as url:
        await deliver(store, endpoint(url), until=lambda: store.settled)
    assert len(receiver.bodies) == 1


async def test_retry_after_is_honoured() -> None:
    async def busy(_: web.Request, __: int) -> web.StreamResponse:
        return web.Response(status=429, headers={"Retry-After": "120"})

    store = MemoryOutbox(delivery())
    async with listening(Receiver(busy)) as url:
        await deliver(store, endpoint(url), until=lambda: store.tries)
    assert store.pending["d1"].next_attempt_at - time.time() > 100


def test_what_a_status_means() -> None:
    assert {verdict(status) for status in (200, 201, 204)} == {"delivered"}
    assert (verdict(409), verdict(409, already=[409]), verdict(409, again=[409])) == (
        "dead",
        "delivered",
        "retry",
    )
    assert (verdict(201, success=[201]), verdict(200, success=[201])) == ("delivered", "retry")
    assert {verdict(status) for status in (408, 425, 429, 500, 503)} == {"retry"}
    assert {verdict(status) for status in (301, 400, 401, 404, 410, 422)} == {"dead"}


HOUR_LATER, THEN = "Wed, 21 Oct 2026 08:28:00 GMT", "Wed, 21 Oct 2026 07:28:00 GMT"
NOW = 1_792_567_680.0  # THEN


@pytest.mark.parametrize(
    ("header", "date", "seconds"),
    [
        ("7", None, 7.0),
        ("9" * 30, None, 24 * 3600),
        (HOUR_LATER, None, 3600.0),
        (HOUR_LATER, "Wed, 21 Oct 2026 08:00:00 GMT", 28 * 60.0),  # by the receiver's own clock
        (HOUR_LATER, "nonsense", 3600.0),
        (THEN, HOUR_LATER, 0.0),  # over already
        ("Fri, 31 Dec 9999 23:59:59 GMT", None, 24 * 3600),
        ("Wednesday, 21-Oct-26 08:28:00 GMT", None, 3600.0),  # RFC 850, obsolete but allowed
        ("-1", None, None),
        ("soon", None, None),
        ("٣", None, None),
        ("", None, None),
        (None, None, None),
        ("Wed, 99 Foo 2026 99:99:99 GMT", None, None),
    ],
)
def test_how_long_retry_after_asks_to_wait(
    header: str | None, date: str | None, seconds: float | None
) -> None:
    assert retry_after(header, NOW, date) == seconds


@given(st.integers(1, 1000), st.floats(0.1, 60), st.floats(60, 7200), st.floats(0, 1))
def test_the_wait_doubles_with_jitter_to_its_limit(
    tries: int, first: float, limit: float, chance: float
) -> None:
    wait = delay(tries, first, limit, chance=chance)
    assert 0.5 * min(limit, first) <= wait <= limit
    assert delay(tries + 1, first, limit, chance=chance) >= wait


def test_an_endpoints_secret_does_not_show() -> None:
    assert SECRET not in repr(endpoint("http://x/"))
