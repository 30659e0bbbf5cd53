"""The delivery of a work order to one work-order system, as operators see it."""

from msgspec import Struct

from domain.messages import Message


class DeliveryView(Struct, frozen=True):
    """One delivery. Times are POSIX seconds."""

    id: str
    order_id: str
    endpoint: str
    state: str
    """`pending`, `delivered` or `dead`."""
    attempts: int
    created_at: float
    next_at: float | None = None
    tried_at: float | None = None
    """Time of the last attempt; `None` before the first."""
    delivered_at: float | None = None
    last_error: Message | None = None
    """Why the last attempt failed."""
