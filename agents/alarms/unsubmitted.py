"""Unsubmitted orders: drafts whose call is over. Pure."""

from collections import OrderedDict
from collections.abc import Iterable, Iterator

from msgspec import structs

from domain.calls import Call, CallState
from domain.orders import Order, OrderState, UnsubmittedOrder

CALLS_KEPT = 2000
"""How many ended calls are remembered in case their order is created only afterwards."""


class UnsubmittedOrders:
    """The open drafts, by order."""

    def __init__(self) -> None:
        self._orders: dict[str, UnsubmittedOrder] = {}
        self._of_call: dict[str, set[str]] = {}
        self._ended: OrderedDict[str, Call] = OrderedDict()
        self._closed: set[str] | None = set()
        """Orders submitted before `recall`, which the database may still call drafts; `None` afterwards."""

    def recall(self, drafts: Iterable[UnsubmittedOrder]) -> None:
        """Add the drafts earlier runs left behind. Called once; facts may already have been applied."""
        for one in drafts:
            if one.order_id not in self._orders and one.order_id not in (self._closed or ()):
                self._keep(one)
        self._closed = None

    def changed(self, order: Order) -> None:
        """Record an order's current state."""
        if order.state is not OrderState.DRAFT:
            if (gone := self._orders.pop(order.id, None)) is not None:
                others = self._of_call[gone.call_id]
                others.discard(order.id)
                if not others:
                    del self._of_call[gone.call_id]
            if self._closed is not None:
                self._closed.add(order.id)
        elif order.id not in self._orders and order.sent is None:
            # One that has left is being corrected: nobody waits for it.
            made = UnsubmittedOrder(order.id, order.call_id, order.line)
            ended = self._ended.get(order.call_id)
            self._keep(made if ended is None else _of(made, ended))

    def call(self, call: Call) -> None:
        """Record a call's current state."""
        if call.state is CallState.ENDED and call.has_work_order:
            self._ended[call.id] = call
            if len(self._ended) > CALLS_KEPT:
                self._ended.popitem(last=False)
        for order in self._of_call.get(call.id, ()):
            self._orders[order] = _of(self._orders[order], call)

    def left(self) -> Iterator[UnsubmittedOrder]:
        """Yield the drafts whose call is over."""
        return (one for one in self._orders.values() if one.ended_at is not None)

    def _keep(self, draft: UnsubmittedOrder) -> None:
        self._orders[draft.order_id] = draft
        self._of_call.setdefault(draft.call_id, set()).add(draft.order_id)


def _of(draft: UnsubmittedOrder, call: Call) -> UnsubmittedOrder:
    ended = call.ended_at if call.state is CallState.ENDED else None
    return structs.replace(draft, pbx=call.pbx, agent=call.agent, ended_at=ended)
