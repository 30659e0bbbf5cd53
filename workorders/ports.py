"""What orders need of the database."""

from collections.abc import Mapping, Sequence
from typing import Protocol

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

    async def order_of_call(self, call_id: str) -> Order | None: ...

    async def list_orders(self, *, state: OrderState | None = None, limit: int = 50) -> Sequence[Order]:
        """Newest first."""
        ...

    async def related(
        self, call_id: str, numbers: Sequence[str], matter: str | None, since: float
    ) -> Sequence[RelatedOrder]:
        """Earlier orders from these numbers or about that matter, but for the call's own."""
        ...

    async def submit(self, order: Order, bodies: Mapping[str, bytes], at: float) -> None:
        """Keep the order and a delivery for each endpoint (id → body): both or neither."""
        ...

    async def pending_deliveries(self, order_id: str) -> int:
        """How many deliveries of the order are not yet delivered."""
        ...
