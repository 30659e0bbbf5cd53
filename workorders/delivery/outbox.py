"""The outbox: deliveries waiting to be sent, and the port of the store that keeps them."""

from typing import Protocol

from msgspec import Struct

from domain.messages import Message
from domain.orders import Order


class Delivery(Struct, frozen=True):
    """One order's exact bytes for one endpoint. Instants are POSIX seconds."""

    id: str
    order_id: str
    endpoint: str
    key: str
    """What the receiver recognises a repetition by (`webhook-id`): order and revision."""
    body: bytes
    attempts: int
    """Tries so far."""
    created_at: float
    next_attempt_at: float
    number: str | None = None
    """The endpoint's number of the order, known from an earlier revision."""
    unsure: bool = False
    """An earlier try of this revision, or an earlier revision, may have arrived without our knowing."""
    first: bool = True
    """The endpoint was never to get an earlier revision."""
    stored: bool = False
    """The endpoint has an earlier revision."""


class OutboxStore(Protocol):
    """Port. Each of `delivered`, `retry` and `dead` counts one attempt and ends the lease."""

    async def claim(self, endpoint: str, lease_s: float, limit: int) -> list[Delivery]:
        """The endpoint's due deliveries, oldest first; nobody else gets them for `lease_s`.

        Of an order's revisions only the first that waits is due.
        """
        ...

    async def delivered(self, delivery_id: str, status: int, external_id: str | None) -> Order | None:
        """The endpoint has it; the order, if its state changed with that."""
        ...

    async def retry(self, delivery_id: str, wait_s: float, status: int | None, why: Message) -> None:
        """It failed; the next try is due after `wait_s`."""
        ...

    async def dead(self, delivery_id: str, status: int | None, why: Message) -> Order | None:
        """Given up; the order, if its state changed with that."""
        ...

    async def next_due_s(self, endpoint: str) -> float | None:
        """In how many seconds the endpoint's next one is due; `None`: none is waiting."""
        ...
