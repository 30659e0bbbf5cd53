"""Orders and the delivery outbox: implements `workorders.delivery.outbox.OutboxStore` in SQL."""

import uuid
from collections.abc import Mapping, Sequence

import msgspec
from msgspec import Struct
from sqlalchemy import Column, ColumnElement, RowMapping, case, func, select, update
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from domain.deliveries import DeliveryView
from domain.deployment import EndpointState
from domain.messages import Message
from domain.orders import Order, OrderState, RelatedOrder, UnsubmittedOrder
from gateway.storage.database import Database
from gateway.storage.rows import put_order
from gateway.storage.tables import calls, deliveries, orders
from workorders.delivery.outbox import Delivery

MAX_ERROR = 500
STATES = ("pending", "delivered", "dead")


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

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get_order(self, order_id: str) -> Order | None:
        """Return the order with that id."""
        return await self._one(orders.c.id == order_id)

    async def order_of_call(self, call_id: str) -> Order | None:
        """Return the order of that call."""
        return await self._one(orders.c.call_id == call_id)

    async def _one(self, condition: ColumnElement[bool]) -> Order | None:
        async with self._database.reading() as connection:
            data = await connection.scalar(select(orders.c.data).where(condition))
        return None if data is None else msgspec.json.decode(data, type=Order)

    async def list_orders(self, *, state: OrderState | None = None, limit: int = 50) -> Sequence[Order]:
        """Return orders, newest first."""
        query = select(orders.c.data).order_by(orders.c.created_at.desc(), orders.c.id).limit(limit)
        if state is not None:
            query = query.where(orders.c.state == state.value)
        async with self._database.reading() as connection:
            return [msgspec.json.decode(data, type=Order) for data in await connection.scalars(query)]

    async def unsubmitted_orders(self, limit: int = 1000) -> list[UnsubmittedOrder]:
        """Return drafts that were not submitted, newest first, with their call's agent and end."""
        query = (
            select(orders.c.id, orders.c.call_id, orders.c.line, calls.c.pbx, calls.c.agent, calls.c.ended_at)
            .join(calls, calls.c.id == orders.c.call_id)
            .where(orders.c.state == OrderState.DRAFT.value)
            .order_by(orders.c.created_at.desc(), orders.c.id)
            .limit(limit)
        )
        async with self._database.reading() as connection:
            return [UnsubmittedOrder(*row) for row in await connection.execute(query)]

    async def related(
        self, call_id: str, numbers: Sequence[str], matter: str | None, since: float, limit: int = 5
    ) -> list[RelatedOrder]:
        """Return earlier orders of the same caller, then of the same place and matter, newest first.

        `numbers` are the ways the caller's number may be written.
        """
        found: dict[str, RelatedOrder] = {}
        same_caller = select(calls.c.id).where(calls.c.caller_number.in_(numbers))
        wanted: list[tuple[str, ColumnElement[bool]]] = []
        if numbers:
            wanted.append(("caller", orders.c.call_id.in_(same_caller)))
        if matter is not None:
            wanted.append(("matter", orders.c.matter == matter))
        async with self._database.reading() as connection:
            for reason, condition in wanted:
                query = (
                    select(orders.c.data)
                    .where(condition, orders.c.call_id != call_id, orders.c.created_at >= since)
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
        query = select(orders.c.data).where(orders.c.created_at >= since)
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

    async def submit(self, order: Order, bodies: Mapping[str, bytes], at: float) -> None:
        """Store the submitted order and one delivery per endpoint, together or not at all.

        `bodies` maps endpoint id to the exact bytes to deliver. Submitting the same revision again adds
        nothing.
        """
        key = f"{order.id}.{order.revision}"
        rows = [
            {
                "id": str(uuid.uuid5(uuid.UUID(order.id), f"{endpoint}/{order.revision}")),
                "order_id": order.id,
                "endpoint": endpoint,
                "key": key,
                "body": body,
                "state": "pending",
                "attempts": 0,
                "created_at": at,
                "next_attempt_at": at,
                "leased_until": 0.0,
            }
            for endpoint, body in bodies.items()
        ]
        make = sqlite_insert if self._database.sqlite else postgresql_insert
        async with self._database.writing() as connection:
            await put_order(self._database, connection, order)
            if rows:
                await connection.execute(make(deliveries).on_conflict_do_nothing(), rows)

    async def save(self, order: Order) -> None:
        """Store an order as it is."""
        async with self._database.writing() as connection:
            await put_order(self._database, connection, order)

    async def pending_deliveries(self, order_id: str) -> int:
        """Count the order's deliveries that are not yet delivered."""
        query = (
            select(func.count())
            .select_from(deliveries)
            .where(deliveries.c.order_id == order_id, deliveries.c.state != "delivered")
        )
        async with self._database.reading() as connection:
            return int(await connection.scalar(query) or 0)


class SqlOutbox:
    """The delivery outbox. A claimed row is leased, so that two workers never send it at once."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def claim(self, endpoint: str, now: float, lease_s: float, limit: int) -> list[Delivery]:
        """Claim the endpoint's due deliveries, oldest first, leased until `now + lease_s`."""
        query = (
            select(deliveries)
            .where(
                deliveries.c.endpoint == endpoint,
                deliveries.c.state == "pending",
                deliveries.c.next_attempt_at <= now,
                deliveries.c.leased_until <= now,
            )
            .order_by(deliveries.c.created_at, deliveries.c.id)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
        async with self._database.writing() as connection:
            rows = (await connection.execute(query)).mappings().all()
            if rows:
                await connection.execute(
                    update(deliveries)
                    .where(deliveries.c.id.in_([row["id"] for row in rows]))
                    .values(leased_until=now + lease_s)
                )
        return [_delivery(row) for row in rows]

    async def delivered(self, delivery_id: str, at: float, status: int, external_id: str | None) -> None:
        """Record that the endpoint has the order."""
        await self._settle(
            delivery_id,
            at,
            state="delivered",
            delivered_at=at,
            status=status,
            error=None,
            reason="",
            params="{}",
            external_id=external_id,
        )

    async def retry(
        self, delivery_id: str, at: float, next_attempt_at: float, status: int | None, why: Message
    ) -> None:
        """Record a failed attempt; the next one is at `next_attempt_at`."""
        await self._settle(
            delivery_id,
            at,
            next_attempt_at=max(at, next_attempt_at),
            status=status,
            **_failure(why),
        )

    async def dead(self, delivery_id: str, at: float, status: int | None, why: Message) -> None:
        """Give the delivery up; an operator must look at it."""
        await self._settle(delivery_id, at, state="dead", status=status, **_failure(why))

    async def _settle(self, delivery_id: str, at: float, **values: object) -> None:
        async with self._database.writing() as connection:
            await connection.execute(
                update(deliveries)
                .where(deliveries.c.id == delivery_id)
                .values(attempts=deliveries.c.attempts + 1, leased_until=0.0, tried_at=at, **values)
            )

    async def next_due(self, endpoint: str) -> float | None:
        """Return when the next pending delivery is due (or its lease ends); `None` if none is pending."""
        query = select(
            func.min(
                # If its worker died, a leased row becomes due again when the lease ends.
                _later(deliveries.c.next_attempt_at, deliveries.c.leased_until, self._database.sqlite)
            )
        ).where(deliveries.c.state == "pending", deliveries.c.endpoint == endpoint)
        async with self._database.reading() as connection:
            due = await connection.scalar(query)
        return None if due is None else float(due)

    # -- for operators ---------------------------------------------------------------------------------------
    async def list_deliveries(self, *, state: str | None = None, limit: int = 50) -> Sequence[DeliveryView]:
        """Return deliveries, newest first."""
        query = select(deliveries).order_by(deliveries.c.created_at.desc(), deliveries.c.id).limit(limit)
        if state is not None:
            query = query.where(deliveries.c.state == state)
        async with self._database.reading() as connection:
            return [delivery_view(row) for row in (await connection.execute(query)).mappings()]

    async def retry_delivery(self, delivery_id: str) -> DeliveryView | None:
        """Make a dead or waiting delivery due now; leave a delivered one alone. `None`: not found."""
        async with self._database.writing() as connection:
            await connection.execute(
                update(deliveries)
                .where(deliveries.c.id == delivery_id, deliveries.c.state != "delivered")
                .values(state="pending", next_attempt_at=0.0, attempts=0)
            )
            row = (
                (await connection.execute(select(deliveries).where(deliveries.c.id == delivery_id)))
                .mappings()
                .one_or_none()
            )
        return None if row is None else delivery_view(row)

    async def by_endpoint(self) -> dict[str, EndpointState]:
        """Return delivery statistics per endpoint; `host` and `lines` are not known here."""
        column = deliveries.c
        counted = select(
            column.endpoint,
            *(func.sum(case((column.state == state, 1), else_=0)).label(state) for state in STATES),
            func.max(column.delivered_at).label("last_success_at"),
        ).group_by(column.endpoint)
        failing = select(column.error, column.reason, column.params).where(
            column.state != "delivered", column.error.is_not(None)
        )
        newest = failing.order_by(func.coalesce(column.tried_at, column.created_at).desc()).limit(1)
        async with self._database.reading() as connection:
            rows = (await connection.execute(counted)).mappings().all()
            errors = {
                row["endpoint"]: (await connection.execute(newest.where(column.endpoint == row["endpoint"])))
                .mappings()
                .one_or_none()
                for row in rows
            }
        return {
            row["endpoint"]: EndpointState(
                id=row["endpoint"],
                host="",
                pending=int(row["pending"]),
                delivered=int(row["delivered"]),
                dead=int(row["dead"]),
                last_success_at=row["last_success_at"],
                last_error=_said(errors[row["endpoint"]]),
            )
            for row in rows
        }

    async def counts(self) -> dict[str, int]:
        """Count deliveries by state."""
        query = select(deliveries.c.state, func.count()).group_by(deliveries.c.state)
        async with self._database.reading() as connection:
            return {state: int(count) for state, count in (await connection.execute(query)).all()}


def _later(one: Column[float], other: Column[float], sqlite: bool) -> ColumnElement[float]:
    return func.max(one, other) if sqlite else func.greatest(one, other)


def _failure(why: Message) -> dict[str, str]:
    return {
        "error": why.text[:MAX_ERROR],
        "reason": why.code,
        "params": msgspec.json.encode(why.params).decode(),
    }


def _said(row: RowMapping | None) -> Message | None:
    if row is None or row["error"] is None:
        return None
    return Message(row["reason"], msgspec.json.decode(row["params"]), row["error"])


def _delivery(row: RowMapping) -> Delivery:
    return Delivery(
        id=row["id"],
        order_id=row["order_id"],
        endpoint=row["endpoint"],
        key=row["key"],
        body=row["body"],
        attempts=row["attempts"],
        created_at=row["created_at"],
        next_attempt_at=row["next_attempt_at"],
    )


def delivery_view(row: RowMapping) -> DeliveryView:
    return DeliveryView(
        id=row["id"],
        order_id=row["order_id"],
        endpoint=row["endpoint"],
        state=row["state"],
        attempts=row["attempts"],
        created_at=row["created_at"],
        next_at=row["next_attempt_at"] if row["state"] == "pending" else None,
        tried_at=row["tried_at"],
        delivered_at=row["delivered_at"],
        last_error=_said(row),
    )
