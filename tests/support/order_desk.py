"""Agents who write orders, correct and withdraw them, on a real database; who delivers them is elsewhere."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from msgspec import structs

from domain.calls import CallState
from domain.facts import CallEnded
from domain.orders import Order
from gateway.storage.database import Database
from gateway.storage.journal import JournalWriter
from tests.support.orders import OrdersOfProcess, a_call
from workorders.rules import LineRules, OrderRules

RULES = OrderRules(lines=(LineRules("12345"),), endpoints={"tickets": ()})


class Desk:
    """Agents who write orders, correct and withdraw them."""

    def __init__(self, process: OrdersOfProcess, journal: JournalWriter) -> None:
        self.orders, self.facts, self.journal = process.orders, process.facts, journal
        self.calls = process.calls
        self.titles: dict[str, str] = {}
        """Of each order: the title it left with last."""

    async def write(self, number: int) -> Order:
        call = structs.replace(a_call(number), state=CallState.ENDED, ended_at=a_call(number).started_at + 60)
        self.facts.record(CallEnded(at=call.started_at + 60, call=call))
        await self.journal.flush()
        order = await self.orders.of_call(call)
        await self._send(order.id, f"路灯{number}不亮")
        return order

    async def correct(self, order_id: str, title: str) -> None:
        await self.orders.correction.open(order_id, by="1001")
        await self._send(order_id, title)

    async def withdraw(self, order_id: str) -> None:
        await self.orders.correction.withdraw(order_id, "来电人已自行解决", by="1001")

    async def _send(self, order_id: str, title: str) -> None:
        said = {"title": title, "summary": f"{title}，“引号”、\\ 反斜杠、{{{{ 7 * 7 }}}}、<b>\n第二行"}
        await self.orders.set_fields(order_id, said, revision=None, by="1001")
        await self.orders.submit(order_id, by="1001")
        self.titles[order_id] = title


@asynccontextmanager
async def desk(url: str) -> AsyncIterator[tuple[Desk, Database]]:
    database = Database(url)
    async with JournalWriter(database) as journal:
        yield Desk(OrdersOfProcess(database, journal, RULES), journal), database
    await database.close()
