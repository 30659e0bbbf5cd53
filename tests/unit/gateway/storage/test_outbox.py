"""The outbox in SQL keeps the port's promises on both databases."""

import asyncio

from msgspec import structs
from sqlalchemy import func, literal, select

from domain.delivery_failures import failure
from domain.messages import Message
from domain.orders import FieldValue, Method, Order, OrderState
from gateway.storage.database import Database
from gateway.storage.orders import OrderRepository
from gateway.storage.outbox import SqlOutbox
from gateway.storage.tables import journal
from tests.support.databases import put_order
from workorders.filling import order_id

ORDER = Order(
    id=order_id("main-1.1"),
    call_id="main-1.1",
    line="12345",
    state=OrderState.SUBMITTED,
    fields={"town": FieldValue("刘桥镇'); DROP TABLE orders;--", 0.9, Method.GAZETTEER)},
    created_at=1.0,
    updated_at=2.0,
    revision=3,
    submitted_at=2.0,
)


async def test_submitting_is_one_act_and_repeating_it_adds_nothing(database: Database) -> None:
    orders, outbox = OrderRepository(database), SqlOutbox(database)
    for _ in range(2):
        await put_order(database, ORDER, {"main": b"\x00\xff", "copy": b"2"}, 10.0)
    assert await orders.get_order(ORDER.id) == ORDER
    assert await orders.orders_of_call("main-1.1") == [ORDER]
    assert await outbox.counts() == {"pending": 2}
    (claimed,) = await outbox.claim("main", 60.0, 5)
    assert (claimed.order_id, claimed.key, claimed.body) == (ORDER.id, f"{ORDER.id}.3", b"\x00\xff")


async def test_a_claimed_delivery_is_nobody_elses_until_its_lease_ends(database: Database) -> None:
    outbox = outbox_at(database, 10.0)
    await put_order(database, ORDER, {"main": b"1"}, 10.0)
    claims = await asyncio.gather(*(outbox.claim("main", 60.0, 5) for _ in range(4)))
    assert sorted(len(claim) for claim in claims) == [0, 0, 0, 1]
    assert await outbox.next_due_s("main") == 60.0
    outbox = outbox_at(database, 70.0)
    assert len(await outbox.claim("main", 60.0, 5)) == 1
    assert await outbox.next_due_s("other") is None


async def test_leases_of_a_process_that_is_gone_are_ended(database: Database) -> None:
    gone, here = SqlOutbox(database, holder="gone"), SqlOutbox(database, holder="here")
    await put_order(database, ORDER, {"main": b"1", "copy": b"2"}, 10.0)
    assert len(await gone.claim("main", 1000.0, 5)) == len(await here.claim("copy", 1000.0, 5)) == 1
    assert await here.claim("main", 60.0, 5) == []
    assert await here.release(["gone", "nobody"]) == 1
    assert len(await here.claim("main", 60.0, 5)) == 1
    assert await here.claim("copy", 60.0, 5) == []
    assert await here.release() == 2


async def test_the_revisions_of_an_order_go_one_after_the_other(database: Database) -> None:
    outbox = SqlOutbox(database)
    for revision in (1, 2, 3):
        body = str(revision).encode()
        await put_order(database, structs.replace(ORDER, revision=revision), {"main": body}, 10.0)
    for expected in (b"1", b"2", b"3"):
        (one,) = await outbox.claim("main", 60.0, 5)
        assert one.body == expected
        assert await outbox.claim("main", 60.0, 5) == []
        await outbox.delivered(one.id, 200, None)


async def test_a_clock_set_back_holds_no_delivery_up(database: Database) -> None:
    await put_order(database, ORDER, {"main": b"1"}, 10.0)
    outbox = outbox_at(database, 10_000.0)
    (one,) = await outbox.claim("main", 60.0, 5)
    await outbox.retry(one.id, 3600.0, 503, failure("answered", status=503))
    assert await outbox.claim("main", 60.0, 5) == []
    outbox = outbox_at(database, 10_000.0 - 1800.0)
    assert len(await outbox.claim("main", 60.0, 5)) == 1


def outbox_at(database: Database, now: float) -> SqlOutbox:
    """The outbox while the database's clock says so."""
    outbox = SqlOutbox(database)
    outbox.now = literal(now)
    return outbox


async def test_retry_delivered_dead_and_an_operators_retry(database: Database) -> None:
    outbox = outbox_at(database, 11.0)
    await put_order(database, ORDER, {"main": b"1", "copy": b"2"}, 10.0)
    (main,) = await outbox.claim("main", 60.0, 5)
    await outbox.retry(main.id, 9.0, 503, failure("answered_with", status=503, said="x" * 1000))
    assert await outbox.next_due_s("main") == 9.0
    assert await outbox_at(database, 19.0).claim("main", 60.0, 5) == []
    outbox = outbox_at(database, 20.0)
    (again,) = await outbox.claim("main", 60.0, 5)
    assert again.attempts == 1
    assert {one.tried_at for one in await outbox.list_deliveries(state="pending")} == {11.0, None}
    outbox = outbox_at(database, 21.0)
    await outbox.dead(main.id, 410, failure("answered", status=410))
    assert await outbox.next_due_s("main") is None
    revived = await outbox.retry_delivery(main.id)
    assert revived is not None
    assert (revived.state, revived.attempts, revived.tried_at) == ("pending", 0, 21.0)
    outbox = outbox_at(database, 30.0)
    await outbox.delivered(main.id, 201, "GD1")
    done = await outbox.retry_delivery(main.id)
    assert done is not None and done.last_error is None
    assert (done.state, done.delivered_at, done.tried_at) == ("delivered", 30.0, 30.0)
    (waiting,) = await outbox.list_deliveries(state="pending")
    assert waiting.endpoint == "copy"
    assert await outbox.retry_delivery("nope") is None
    assert {view.endpoint for view in await outbox.list_deliveries()} == {"main", "copy"}
    assert [view.endpoint for view in await outbox.list_deliveries(state="delivered")] == ["main"]


async def test_one_endpoint_that_gave_up_and_one_that_has_it_leave_the_order_dead(database: Database) -> None:
    """Whichever is settled first."""
    for number, first in enumerate(("main", "copy")):
        outbox, call = SqlOutbox(database), f"main-{number}"
        await put_order(
            database,
            structs.replace(ORDER, id=order_id(call), call_id=call),
            {"main": b"1", "copy": b"2"},
            10.0,
        )
        (main,), (copy,) = await outbox.claim("main", 60.0, 5), await outbox.claim("copy", 60.0, 5)
        settle = {
            "main": lambda outbox=outbox, of=main.id: outbox.dead(of, 410, failure("answered", status=410)),
            "copy": lambda outbox=outbox, of=copy.id: outbox.delivered(of, 200, "GD1"),
        }
        assert await settle.pop(first)() is None
        order = await next(iter(settle.values()))()
        assert order is not None and order.state is OrderState.DEAD
        # An operator's retry brings it there.
        await outbox.retry_delivery(main.id)
        order = await outbox.delivered(main.id, 200, "GD2")
        assert order is not None and (order.state, order.external_id) == (OrderState.DELIVERED, "GD2")


async def test_settled_at_the_same_moment_each_is_noted_and_each_order_told_once(database: Database) -> None:
    outbox = SqlOutbox(database)
    made = [structs.replace(ORDER, id=order_id(f"main-{n}"), call_id=f"main-{n}") for n in range(20)]
    for order in made:
        await put_order(database, order, {"main": b"1", "copy": b"2"}, 10.0)
    claimed = [*await outbox.claim("main", 60.0, 50), *await outbox.claim("copy", 60.0, 50)]
    assert len(claimed) == 40
    told = await asyncio.gather(*(outbox.delivered(one.id, 200, f"{one.endpoint}-1") for one in claimed))
    assert sorted(order.id for order in told if order) == sorted(order.id for order in made)
    assert await outbox.counts() == {"delivered": 40}
    assert {order.state for order in await OrderRepository(database).list_orders(limit=50)} == {
        OrderState.DELIVERED
    }
    async with database.reading() as connection:
        facts = await connection.scalar(select(func.count()).select_from(journal))
    assert facts == 20


async def test_what_cannot_be_noted_of_one_keeps_no_other_from_it(database: Database) -> None:
    outbox = SqlOutbox(database)
    for number in range(3):
        call = f"main-{number}"
        await put_order(
            database, structs.replace(ORDER, id=order_id(call), call_id=call), {"main": b"1"}, 10.0
        )
    claimed = await outbox.claim("main", 60.0, 5)
    told = await asyncio.gather(
        *(
            outbox.delivered(one.id, status, None)
            for one, status in zip(claimed, (200, 10**30, 201), strict=True)
        ),
        return_exceptions=True,
    )
    assert [isinstance(one, Order) for one in told] == [True, False, True]
    assert await outbox.counts() == {"delivered": 2, "pending": 1}


async def test_orders_are_listed_newest_first(database: Database) -> None:
    orders = OrderRepository(database)
    for number in range(3):
        call = f"main-{number}"
        await put_order(
            database, structs.replace(ORDER, id=order_id(call), call_id=call, created_at=float(number))
        )
    assert [order.created_at for order in await orders.list_orders(limit=2)] == [2.0, 1.0]
    assert await orders.list_orders(state=OrderState.DEAD) == []


async def test_how_each_endpoint_fares(database: Database) -> None:
    outbox = SqlOutbox(database)
    for number in (1, 2, 3):
        call = f"main-{number}"
        one = structs.replace(ORDER, id=order_id(call), call_id=call)
        await put_order(database, one, {"main": b"1"}, 10.0 + number)
    await put_order(database, ORDER, {"copy": b"2"}, 10.0)
    first, second, _ = await outbox.claim("main", 60.0, 5)
    await outbox_at(database, 30.0).delivered(first.id, 201, "GD1")
    await outbox_at(database, 31.0).dead(second.id, 410, failure("answered_with", status=410, said="gone"))
    found = await outbox.by_endpoint()
    main = found["main"]
    assert (main.pending, main.delivered, main.dead) == (1, 1, 1)
    assert main.last_error == Message("answered_with", {"status": 410, "said": "gone"}, "HTTP 410: gone")
    assert main.last_success_at == 30.0
    assert (found["copy"].pending, found["copy"].last_error, found["copy"].last_success_at) == (1, None, None)


async def test_places_of_orders_since(database: Database) -> None:
    orders = OrderRepository(database)
    await put_order(database, ORDER)
    fields = {
        "town": FieldValue("川姜镇", 0.9, Method.GAZETTEER),
        "village": FieldValue("志浩村", 0.9, Method.GAZETTEER),
        "category": FieldValue("噪音", 0.9, Method.MODEL),
        "urgent": FieldValue(True, 0.9, Method.RULE),
    }
    newer = structs.replace(
        ORDER, id=order_id("main-2.1"), call_id="main-2.1", created_at=100.0, fields=fields
    )
    await put_order(database, newer)
    await put_order(
        database,
        structs.replace(newer, id=order_id("main-3.1"), call_id="main-3.1", created_at=101.0, fields={}),
    )
    assert await orders.places(50.0) == [("川姜镇", "志浩村", "噪音")]
    assert len(await orders.places(0.0)) == 2
