"""Orders in SQL: implements `workorders.ports.OrderStore`; changed by compare-and-set."""

from collections.abc import Mapping, Sequence

import msgspec
from msgspec import Struct
from sqlalchemy import ColumnElement, exists, func, select, union_all

from domain.facts import OrderChanged
from domain.orders import Order, OrderState, RelatedOrder, UnsubmittedOrder
from domain.outcomes import INVALID
from gateway.storage.database import Database
from gateway.storage.fact_ids import FactIds
from gateway.storage.order_changes import OrderChange, OrderChanges
from gateway.storage.tables import calls, deliveries, intakes, orders
from workorders.ports import Change


class _Value(Struct):
    value: str


class _PlaceFields(Struct):
    town: _Value | None = None
    village: _Value | None = None
    category: _Value | None = None


class _Placed(Struct):
    """The part of an order that is read to count places."""

    fields: _PlaceFields


class OrderRepository:
    """Orders by id and by call. Submission is one transaction: the order's state and its deliveries."""

    def __init__(self, database: Database, ids: FactIds | None = None) -> None:
        """`ids`: those of the journal's writer."""
        self._database = database
        self._ids = ids or FactIds()
        self._changes = OrderChanges(database, self._ids)

    async def get_order(self, order_id: str) -> Order | None:
        """Return the order with that id."""
        rows = await self._database.rows(select(orders.c.data).where(orders.c.id == order_id))
        return next((msgspec.json.decode(row.data, type=Order) for row in rows), None)

    async def orders_of_call(self, call_id: str) -> list[Order]:
        """Return the orders of that call, by number."""
        query = select(orders.c.data).where(orders.c.call_id == call_id).order_by(orders.c.number)
        return [msgspec.json.decode(row.data, type=Order) for row in await self._database.rows(query)]

    async def list_orders(self, *, state: OrderState | None = None, limit: int = 50) -> Sequence[Order]:
        """Return orders, newest first."""
        query = select(orders.c.data).order_by(orders.c.created_at.desc(), orders.c.id).limit(limit)
        if state is not None:
            query = query.where(orders.c.state == state.value)
        async with self._database.reading() as connection:
            return [msgspec.json.decode(data, type=Order) for data in await connection.scalars(query)]

    async def unsubmitted_orders(self, limit: int = 1000) -> list[UnsubmittedOrder]:
        """Return drafts that somebody has to submit, newest first, with their call's agent and end."""
        query = (
            select(
                orders.c.id,
                orders.c.call_id,
                orders.c.line,
                func.coalesce(calls.c.pbx, ""),
                calls.c.agent,
                func.coalesce(calls.c.ended_at, intakes.c.at),
            )
            .outerjoin(calls, calls.c.id == orders.c.call_id)
            .outerjoin(intakes, intakes.c.call_id == orders.c.call_id)
            .where(
                calls.c.id.is_not(None) | intakes.c.id.is_not(None),
                orders.c.state == OrderState.DRAFT.value,
                orders.c.send_at.is_(None),
                # One that has left is being corrected.
                ~exists().where(deliveries.c.order_id == orders.c.id),
            )
            .order_by(orders.c.created_at.desc(), orders.c.id)
            .limit(limit)
        )
        async with self._database.reading() as connection:
            return [UnsubmittedOrder(*row) for row in await connection.execute(query)]

    async def related(
        self, call_id: str, numbers: Sequence[str], matter: str | None, since: float, limit: int = 5
    ) -> list[RelatedOrder]:
        """Return earlier orders of the same caller, then of the same place and matter, newest first.

        Not those of which nothing was sent.

        `numbers` are the ways the caller's number may be written.
        """
        found: dict[str, RelatedOrder] = {}
        same_caller = union_all(
            *(
                select(key).where(number.in_(numbers))
                for key, number in (
                    (calls.c.id, calls.c.caller_number),
                    (intakes.c.call_id, intakes.c.caller_number),
                )
            )
        )
        wanted: list[tuple[str, ColumnElement[bool]]] = []
        if numbers:
            wanted.append(("caller", orders.c.call_id.in_(same_caller)))
        if matter is not None:
            wanted.append(("matter", orders.c.matter == matter))
        async with self._database.reading() as connection:
            for reason, condition in wanted:
                query = (
                    select(orders.c.data)
                    .where(
                        condition,
                        orders.c.call_id != call_id,
                        orders.c.created_at >= since,
                        orders.c.state != OrderState.DROPPED.value,
                    )
                    .order_by(orders.c.created_at.desc(), orders.c.id)
                    .limit(limit)
                )
                for data in await connection.scalars(query):
                    order = msgspec.json.decode(data, type=Order)
                    title = order.fields.get("title")
                    found.setdefault(
                        order.id,
                        RelatedOrder(
                            order_id=order.id,
                            created_at=order.created_at,
                            reason=reason,
                            title=str(title.value) if title is not None else "",
                            state=order.state.value,
                        ),
                    )
        return list(found.values())[:limit]

    async def places(self, since: float) -> list[tuple[str, str | None, str]]:
        """Return (town, village, category or "") of the orders created from `since` on that name a town."""
        query = select(orders.c.data).where(
            orders.c.created_at >= since, orders.c.outcome.is_distinct_from(INVALID)
        )
        decode = msgspec.json.Decoder(_Placed).decode
        found: list[tuple[str, str | None, str]] = []
        async with self._database.reading() as connection:
            rows = await connection.stream(query.execution_options(yield_per=500))
            async for data in rows.scalars():
                placed = decode(data).fields
                if placed.town is not None:
                    village = placed.village.value if placed.village else None
                    found.append(
                        (placed.town.value, village, placed.category.value if placed.category else "")
                    )
        return found

    async def change(
        self,
        before: Order | None,
        after: Order,
        changed: Sequence[str] = (),
        bodies: Mapping[str, bytes] | None = None,
    ) -> bool:
        """Compare and set: replace `before` by `after` if the database holds `before`; whether it did.

        In one transaction: the order, its fact in the journal (`changed`: names of fields), and for each of
        `bodies` (endpoint id → the exact bytes) a delivery. `before=None`: the order must be new. A commit
        whose answer was lost is recognised: `True`, and nothing is written twice.
        """
        return await self.change_all([Change(before, after, tuple(changed), bodies or {})])

    async def change_all(self, changes: Sequence[Change]) -> bool:
        """The same for several orders at once: all of them are replaced, or none."""
        return await self._changes.submit(
            tuple(
                OrderChange(
                    one.before,
                    OrderChanged(at=one.after.updated_at, order=one.after, changed=one.changed),
                    one.bodies,
                )
                for one in changes
            )
        )

    # -- drafts that are sent by themselves -----------------------------------------------------------------
    async def due_drafts(self, at: float, never: float, limit: int = 100) -> list[Order]:
        """Return drafts that are to be sent by `at`, or only after `never`, the longest due first."""
        return await self._scheduled((orders.c.send_at <= at) | (orders.c.send_at > never), limit)

    async def next_due_draft(self) -> float | None:
        """Return when the next draft is to be sent, POSIX seconds; `None`: none is."""
        async with self._database.reading() as connection:
            due = await connection.scalar(select(func.min(orders.c.send_at)))
        return None if due is None else float(due)

    async def scheduled_of(self, agent: str, limit: int = 100) -> list[Order]:
        """Return drafts of that agent's calls that are to be sent by themselves."""
        own = select(calls.c.id).where(calls.c.agent == agent)
        return await self._scheduled(orders.c.call_id.in_(own), limit)

    async def _scheduled(self, condition: ColumnElement[bool], limit: int) -> list[Order]:
        query = (
            select(orders.c.data)
            .where(orders.c.send_at.is_not(None), condition)
            .order_by(orders.c.send_at, orders.c.id)
            .limit(limit)
        )
        return [msgspec.json.decode(row.data, type=Order) for row in await self._database.rows(query)]

    async def unsettled(self) -> list[Order]:
        """Return submitted orders none of whose deliveries is pending: their state was left behind."""
        waiting = select(deliveries.c.order_id).where(deliveries.c.state == "pending")
        known = select(deliveries.c.order_id)
        query = select(orders.c.data).where(
            orders.c.state == OrderState.SUBMITTED.value, orders.c.id.in_(known), orders.c.id.not_in(waiting)
        )
        async with self._database.reading() as connection:
            return [msgspec.json.decode(data, type=Order) for data in await connection.scalars(query)]

    async def outcome_of(self, order_id: str) -> tuple[str, str | None, float]:
        """What became of an order's deliveries: (`delivered` or `dead`, the other system's number, when)."""
        query = (
            select(deliveries.c.endpoint, deliveries.c.state, deliveries.c.external_id, deliveries.c.tried_at)
            .where(deliveries.c.order_id == order_id)
            .order_by(deliveries.c.revision, deliveries.c.delivered_at)
        )
        async with self._database.reading() as connection:
            rows = (await connection.execute(query)).all()
        latest = {row.endpoint: row.state for row in rows}
        state = "dead" if "dead" in latest.values() else "delivered"
        number = next((row.external_id for row in reversed(rows) if row.external_id), None)
        return state, number, max((row.tried_at or 0.0 for row in rows), default=0.0)
