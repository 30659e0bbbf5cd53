"""The delivery outbox: implements `workorders.delivery.outbox.OutboxStore` in SQL."""

import uuid
from collections.abc import Mapping, Sequence

import msgspec
from sqlalchemy import Column, ColumnElement, RowMapping, case, exists, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.deliveries import DeliveryView
from domain.deployment import EndpointState
from domain.messages import Message
from domain.orders import Order
from gateway.storage.database import Database
from gateway.storage.fact_ids import FactIds
from gateway.storage.group_commit import GroupCommit
from gateway.storage.settlements import Settlement, Settlements
from gateway.storage.tables import deliveries
from workorders.delivery.outbox import Delivery

SKEW_S = 5.0
"""Clocks of processes on one database may differ by so much."""
STATES = ("pending", "delivered", "dead")


def delivery_rows(order: Order, bodies: Mapping[str, bytes], at: float) -> list[dict[str, object]]:
    """One delivery of that revision for each endpoint; the same ids and keys each time they are made."""
    return [
        {
            "id": str(uuid.uuid5(uuid.UUID(order.id), f"{endpoint}/{order.revision}")),
            "order_id": order.id,
            "endpoint": endpoint,
            "key": f"{order.id}.{order.revision}",
            "revision": order.revision,
            "body": body,
            "state": "pending",
            "attempts": 0,
            "created_at": at,
            "next_attempt_at": at,
            "leased_until": 0.0,
        }
        for endpoint, body in bodies.items()
    ]


class SqlOutbox:
    """The delivery outbox. A claimed row is leased, so that two workers never send it at once."""

    def __init__(self, database: Database, ids: FactIds | None = None, holder: str = "") -> None:
        """`ids`: those of the journal's writer. `holder`: who takes the leases."""
        self._database = database
        self._ids = ids or FactIds()
        self._holder = holder
        self.now: ColumnElement[float] = database.now
        """The clock of leases and tries, POSIX seconds: the database's."""
        settlements = Settlements(database, self._ids, lambda: self.now)
        self._settled = GroupCommit("settled deliveries", settlements.write, settlements.write_alone)

    async def claim(self, endpoint: str, lease_s: float, limit: int) -> list[Delivery]:
        """Claim the endpoint's due deliveries, oldest first, each leased for that long.

        An order's revisions go one after the other: a later one is not due while an earlier one waits.
        """
        earlier = deliveries.alias()
        query = (
            select(deliveries)
            .where(
                deliveries.c.endpoint == endpoint,
                deliveries.c.state == "pending",
                # Where the clock was set back since the last try, it is due as well.
                (deliveries.c.next_attempt_at <= self.now)
                | (func.coalesce(deliveries.c.tried_at, deliveries.c.created_at) > self.now + SKEW_S),
                deliveries.c.leased_until <= self.now,
                ~exists().where(
                    earlier.c.order_id == deliveries.c.order_id,
                    earlier.c.endpoint == deliveries.c.endpoint,
                    earlier.c.revision < deliveries.c.revision,
                    earlier.c.state == "pending",
                ),
            )
            .order_by(deliveries.c.created_at, deliveries.c.id)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
        async with self._database.writing() as connection:
            rows = (await connection.execute(query)).mappings().all()
            ids = [row["id"] for row in rows]
            known = await self._known_of(connection, ids)
            if rows:
                await connection.execute(
                    update(deliveries)
                    .where(deliveries.c.id.in_(ids))
                    .values(
                        leased_until=self.now + lease_s,
                        leased_by=self._holder,
                        claims=deliveries.c.claims + 1,
                    )
                )
        return [_delivery(row, known[row["id"]]) for row in rows]

    async def _known_of(self, connection: AsyncConnection, ids: Sequence[str]) -> dict[str, RowMapping]:
        """What earlier revisions say of each: the order's number there, how many were, how many arrived."""
        if not ids:
            return {}
        earlier = deliveries.alias()
        before = (
            earlier.c.order_id == deliveries.c.order_id,
            earlier.c.endpoint == deliveries.c.endpoint,
            earlier.c.revision < deliveries.c.revision,
        )
        numbers = select(earlier.c.external_id).where(*before, earlier.c.external_id.is_not(None))
        counted = select(func.count()).select_from(earlier).where(*before)
        query = select(
            deliveries.c.id,
            numbers.order_by(earlier.c.revision.desc()).limit(1).scalar_subquery().label("number"),
            counted.scalar_subquery().label("earlier"),
            counted.where(earlier.c.state == "delivered").scalar_subquery().label("arrived"),
        ).where(deliveries.c.id.in_(ids))
        return {row["id"]: row for row in (await connection.execute(query)).mappings()}

    async def release(self, holders: Sequence[str] | None = None) -> int:
        """End the leases of these holders, or all of them: who took them is gone. How many."""
        taken = deliveries.c.leased_until > 0
        if holders is not None:
            taken &= deliveries.c.leased_by.in_(holders)
        async with self._database.writing() as connection:
            done = await connection.execute(
                update(deliveries).where(deliveries.c.state == "pending", taken).values(leased_until=0.0)
            )
            return done.rowcount

    async def delivered(self, delivery_id: str, status: int, external_id: str | None) -> Order | None:
        """Record that the endpoint has the order; the order, if its state changed with that."""
        return await self._settled.submit(Settlement(delivery_id, "delivered", status, external_id))

    async def retry(self, delivery_id: str, wait_s: float, status: int | None, why: Message) -> None:
        """Record a failed attempt; the next one is due after `wait_s`."""
        await self._settled.submit(Settlement(delivery_id, "pending", status, why=why, wait_s=wait_s))

    async def dead(self, delivery_id: str, status: int | None, why: Message) -> Order | None:
        """Give the delivery up: an operator must look at it. The order, if its state changed with that."""
        return await self._settled.submit(Settlement(delivery_id, "dead", status, why=why))

    async def next_due_s(self, endpoint: str) -> float | None:
        """Seconds until the next pending delivery is due, or its lease ends; `None`: none is pending."""
        query = select(
            func.min(
                # If its worker died, a leased row becomes due again when the lease ends.
                _later(deliveries.c.next_attempt_at, deliveries.c.leased_until, self._database.sqlite)
            )
            - self.now
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

    async def known_of(self, order_id: str, endpoint: str) -> tuple[str | None, bool]:
        """The endpoint's number of the order, and whether it has any of its revisions."""
        there = (deliveries.c.order_id == order_id, deliveries.c.endpoint == endpoint)
        query = select(deliveries.c.external_id).where(*there, deliveries.c.state == "delivered")
        async with self._database.reading() as connection:
            numbers = (await connection.scalars(query.order_by(deliveries.c.revision.desc()))).all()
        return next((one for one in numbers if one is not None), None), bool(numbers)

    async def counts(self) -> dict[str, int]:
        """Count deliveries by state."""
        query = select(deliveries.c.state, func.count()).group_by(deliveries.c.state)
        async with self._database.reading() as connection:
            return {state: int(count) for state, count in (await connection.execute(query)).all()}


def _later(one: Column[float], other: Column[float], sqlite: bool) -> ColumnElement[float]:
    return func.max(one, other) if sqlite else func.greatest(one, other)


def _said(row: RowMapping | None) -> Message | None:
    if row is None or row["error"] is None:
        return None
    return Message(row["reason"], msgspec.json.decode(row["params"]), row["error"])


def _delivery(row: RowMapping, known: RowMapping) -> Delivery:
    return Delivery(
        id=row["id"],
        order_id=row["order_id"],
        endpoint=row["endpoint"],
        key=row["key"],
        body=row["body"],
        attempts=row["attempts"],
        created_at=row["created_at"],
        next_attempt_at=row["next_attempt_at"],
        number=known["number"],
        unsure=bool(row["claims"] or (known["earlier"] and known["number"] is None)),
        first=not known["earlier"],
        stored=bool(known["arrived"]),
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
