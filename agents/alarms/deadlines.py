"""Deadlines of orders, as their work-order systems tell them. Pure."""

from collections.abc import Iterable, Iterator

from domain.order_status import OVER, OrderDeadline, OrderStatus


class OrderDeadlines:
    """Until when each order that is not closed is to be dealt with."""

    def __init__(self) -> None:
        self._open: dict[str, OrderDeadline] = {}
        self._at: dict[str, float] = {}
        """When the latest known of each order happened: what is told late changes nothing."""

    def recall(self, deadlines: Iterable[OrderDeadline]) -> None:
        """Add those of earlier runs. Facts may already have been applied, and say more."""
        for one in deadlines:
            if one.order_id not in self._at:
                self._open[one.order_id] = one

    def told(self, call_id: str, line: str, status: OrderStatus) -> None:
        """Take what was told of an order. A step that names no deadline leaves the one before."""
        if status.at < self._at.get(status.order_id, 0.0):
            return
        self._at[status.order_id] = status.at
        if status.step in OVER:
            self._open.pop(status.order_id, None)
        elif status.deadline is not None:
            self._open[status.order_id] = OrderDeadline(status.order_id, call_id, line, status.deadline)

    def open(self) -> Iterator[OrderDeadline]:
        """Yield those that matter."""
        return iter(self._open.values())
