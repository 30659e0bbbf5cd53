"""What orders need of the database."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from msgspec import Struct

from domain.calls import Call
from domain.orders import Order, OrderState, RelatedOrder
from domain.recordings import StoredRecording
from domain.transcripts import Utterance


class CallReader(Protocol):
    """Port: calls, what was said on them, and their recordings."""

    async def get_call(self, call_id: str) -> Call | None: ...

    async def list_utterances(self, call_id: str) -> Sequence[Utterance]:
        """Final ones, in order of start."""
        ...

    async def list_recordings(self, call_id: str) -> Sequence[StoredRecording]:
        """By offset."""
        ...


class OrderStore(Protocol):
    """Port: orders and their deliveries."""

    async def get_order(self, order_id: str) -> Order | None: ...

    async def orders_of_call(self, call_id: str) -> Sequence[Order]:
        """By number."""
        ...

    async def list_orders(self, *, state: OrderState | None = None, limit: int = 50) -> Sequence[Order]:
        """Newest first."""
        ...

    async def related(
        self, call_id: str, numbers: Sequence[str], matter: str | None, since: float
    ) -> Sequence[RelatedOrder]:
        """Earlier orders from these numbers or about that matter, but for the call's own."""
        ...

    async def unsettled(self) -> Sequence[Order]:
        """Submitted orders none of whose deliveries is pending."""
        ...

    async def outcome_of(self, order_id: str) -> tuple[str, str | None, float]:
        """What became of all its deliveries: (`delivered` or `dead`, the other system's number, when)."""
        ...

    async def due_drafts(self, at: float, never: float, limit: int = 100) -> Sequence[Order]:
        """Drafts that are to be sent by `at`, or only after `never`, the longest due first."""
        ...

    async def next_due_draft(self) -> float | None:
        """When the next draft is to be sent, POSIX seconds; `None`: none is."""
        ...

    async def scheduled_of(self, agent: str) -> Sequence[Order]:
        """Drafts of that agent's calls that are to be sent by themselves."""
        ...


class Change(Struct, frozen=True):
    """One order's change."""

    before: Order | None
    """`None`: there is no such order yet."""
    after: Order
    changed: tuple[str, ...] = ()
    """Names of fields."""
    bodies: Mapping[str, bytes] = {}
    """Endpoint id → what it is to be sent."""


class OrderWriter(Protocol):
    """Port: the one door for changes of orders."""

    async def change(
        self,
        before: Order | None,
        after: Order,
        changed: Sequence[str] = (),
        bodies: Mapping[str, bytes] | None = None,
    ) -> bool:
        """Replace `before` by `after` if `before` is what the database holds, and tell it; whether it was.

        `changed` names fields; for each of `bodies` (endpoint id → bytes) a delivery is kept with it.
        """
        ...

    async def change_all(self, changes: Sequence[Change]) -> bool:
        """Make all of these changes, of different orders, or none; whether they were made."""
        ...
