"""Submit, edit and end of call at once: one delivery for each revision, and what was answered is sent."""

import asyncio
import json
from typing import Any

import pytest
from msgspec import structs
from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.calls import CallState
from domain.facts import CallStarted, OrderChanged
from domain.orders import OrderState
from gateway.storage.database import Database
from gateway.storage.journal import JournalWriter
from gateway.storage.journal_reader import JournalReader
from gateway.storage.tables import deliveries
from tests.support.orders import OrdersOfProcess, a_call, heard
from workorders import filling
from workorders.errors import OrderRefusedError

AT = 1_780_000_000.0


async def edit(process: OrdersOfProcess, order_id: str, title: str) -> str | None:
    """The title, if it was answered as saved; `None`: it was refused."""
    try:
        saved = await process.orders.set_fields(order_id, {"title": title}, revision=None, by="zhang")
    except OrderRefusedError as error:
        assert error.code == "submitted"
        return None
    assert saved is not None
    assert saved.fields["title"].value == title
    return title


@pytest.mark.parametrize("processes", [1, 2])
async def test_submit_edit_and_end_of_call_at_once_make_one_delivery(
    database: Database, processes: int
) -> None:
    async with JournalWriter(database) as journal:
        sharing = [OrdersOfProcess(database, journal) for _ in range(processes)]
        one, other = sharing[0], sharing[-1]
        for number in range(12):
            call = a_call(number)
            journal.put(CallStarted(at=AT, call=call))
            await journal.flush()
            order = await one.orders.of_call(call)
            await one.orders.on_utterance_heard(heard(call, "刘桥镇英雄村的路灯坏了"))
            over = structs.replace(call, ended_at=AT + 60, state=CallState.ENDED)
            _, *answered, _ = await asyncio.gather(
                one.orders.complete(over, []),
                edit(other, order.id, f"路灯{number}"),
                edit(one, order.id, f"路面{number}"),
                one.orders.on_utterance_heard(heard(call, "已经坏了三天了", 4.0)),
                other.orders.submit(order.id, by="zhang"),
            )
            kept = await one.orders.get_order(order.id)
            assert kept is not None
            assert kept.state is OrderState.SUBMITTED
            (delivery,) = [d for d in await one.outbox.claim("main", 60.0, 100) if d.order_id == order.id]
            sent = json.loads(delivery.body)
            assert delivery.key == f"{order.id}.{kept.revision}"
            assert sent["revision"] == kept.revision
            saved = [title for title in answered if title is not None]
            if saved:
                assert sent["fields"]["title"]["value"] in saved, (
                    "an edit answered as saved is in what was sent"
                )
            assert sent["fields"]["title"]["value"] == kept.fields["title"].value


async def test_what_the_api_says_is_what_the_database_holds_after_the_delivery(database: Database) -> None:
    async with JournalWriter(database) as journal:
        process = OrdersOfProcess(database, journal)
        call = a_call(1)
        journal.put(CallStarted(at=AT, call=call))
        await journal.flush()
        order = await process.orders.of_call(call)
        process.orders.drafting.forget(call.id)  # the call is over, its order still a draft
        assert await edit(process, order.id, "路灯") == "路灯"
        sent = await process.orders.submit(order.id, by="zhang")
        assert sent is not None
        again = await process.orders.submit(order.id, by="zhang")
        assert again == sent, "submitted once more, nothing changes"
        (delivery,) = await process.outbox.claim("main", 60.0, 100)
        settled = await process.outbox.delivered(delivery.id, 201, "GD-77")
        kept = await process.orders.get_order(order.id)
        assert kept == settled
        assert kept is not None
        assert (kept.state, kept.external_id) == (OrderState.DELIVERED, "GD-77")
        assert await process.orders.orders_of_call(call.id) == [kept]
        await journal.flush()
        states = [
            fact.order.state
            async for fact in JournalReader(database).since(0.0)
            if isinstance(fact, OrderChanged)
        ]
        assert states == ["draft", "draft", "submitted", "delivered"]


async def test_a_state_left_behind_by_a_kill_is_settled_at_the_start(database: Database) -> None:
    async with JournalWriter(database) as journal:
        process = OrdersOfProcess(database, journal)
        call = a_call(1)
        journal.put(CallStarted(at=AT, call=call))
        await journal.flush()
        order = await process.orders.of_call(call)
        await process.orders.submit(order.id, by="zhang")
        assert await process.orders.submission.settle_left_behind() == 0
        # As an earlier version left it: the delivery is marked, the order is not.
        (delivery,) = await process.outbox.claim("main", 60.0, 100)
        async with database.writing() as connection:
            noted = {"state": "delivered", "delivered_at": AT + 99, "external_id": "GD-7"}
            await connection.execute(update(deliveries).where(deliveries.c.id == delivery.id).values(noted))
        assert await process.orders.submission.settle_left_behind() == 1
        kept = await process.orders.get_order(order.id)
        assert kept is not None
        assert (kept.state, kept.external_id) == (OrderState.DELIVERED, "GD-7")
        assert await process.orders.submission.settle_left_behind() == 0


async def test_an_order_whose_commit_was_not_answered_is_written_once(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with JournalWriter(database) as journal:
        process = OrdersOfProcess(database, journal)
        call = a_call(1)
        journal.put(CallStarted(at=AT, call=call))
        await journal.flush()
        order = await process.orders.of_call(call)
        lost: list[bool] = []
        changes = process.repository._changes
        put_beside = changes._put_beside

        async def unanswered(connection: AsyncConnection, written: Any) -> None:
            await put_beside(connection, written)
            if not lost:
                lost.append(True)
                await connection.commit()
                raise ConnectionResetError("the answer to COMMIT never came")

        monkeypatch.setattr(changes, "_put_beside", unanswered)
        assert await edit(process, order.id, "路灯") == "路灯"
        assert lost == [True]
        kept = await process.orders.get_order(order.id)
        assert kept is not None
        assert kept.revision == order.revision + 1


async def test_changes_of_many_orders_share_transactions_and_a_bad_one_spoils_no_other(
    database: Database,
) -> None:
    async with JournalWriter(database) as journal:
        process = OrdersOfProcess(database, journal)
        begun = [filling.new_order(a_call(number), "12345", AT) for number in range(1, 60)]
        bad = structs.replace(begun[30], line="\ud83d")
        asked = [process.repository.change(None, one) for one in [*begun[:30], bad, *begun[31:]]]
        transactions: list[int] = []
        writing = database.writing

        def counted() -> Any:
            transactions.append(1)
            return writing()

        database.writing = counted  # type: ignore[method-assign]
        results = await asyncio.gather(*asked, return_exceptions=True)
        assert isinstance(results[30], Exception)
        assert [result for number, result in enumerate(results) if number != 30] == [True] * 58
        assert len(await process.repository.list_orders(limit=100)) == 58

        transactions.clear()
        edited = [structs.replace(one, revision=one.revision + 1) for one in begun[:30]]
        pairs = zip(begun[:30], edited, strict=True)
        assert all(await asyncio.gather(*(process.repository.change(*pair) for pair in pairs)))
        assert len(transactions) < 5
        # What was overtaken is refused, also within one transaction.
        stale = await asyncio.gather(
            process.repository.change(edited[0], structs.replace(edited[0], revision=7)),
            process.repository.change(edited[0], structs.replace(edited[0], revision=8)),
        )
        assert list(stale) == [True, False]
