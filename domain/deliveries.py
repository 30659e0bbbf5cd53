"""A delivery of an order to one work-order system, as operators see it."""

from msgspec import Struct

from domain.messages import Message


class DeliveryView(Struct, frozen=True):
    """One delivery. Instants are POSIX seconds."""

    id: str
    order_id: str
    endpoint: str
    state: str
    """`pending`, `delivered` or `dead`."""
    attempts: int
    created_at: float
    next_at: float | None = None
    tried_at: float | None = None
    """When it was last tried; `None`: not yet."""
    delivered_at: float | None = None
    last_error: Message | None = None
    """Why the last try failed."""
