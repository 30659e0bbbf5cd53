"""What a call needs while its orders grow: one draft a call, with an order for each of its matters."""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from domain.calls import Call
from domain.orders import FieldValue, Order
from domain.transcripts import Utterance
from workorders.further import said_about


@dataclass
class CallDraft:
    """A call's draft. Whoever changes one of its orders holds the lock."""

    call: Call
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    orders: dict[str, Order] = field(default_factory=dict)
    """By id, in order of number; empty until it has been opened."""
    utterances: dict[str, Utterance] | None = None
    answers: dict[str, Mapping[str, FieldValue]] = field(default_factory=dict)
    """Order → what the language model proposed last."""
    asking: asyncio.Task[None] | None = None
    asked_at: float = float("-inf")
    alerted: bool = False

    def put(self, orders: Iterable[Order]) -> None:
        """Take these over as they are now."""
        known = {**self.orders, **{one.id: one for one in orders}}
        self.orders = {one.id: one for one in sorted(known.values(), key=lambda one: one.number)}

    def latest(self) -> Order:
        """The order of the matter that is talked about now."""
        return next(reversed(self.orders.values()))

    def about(self, order: Order) -> list[Utterance]:
        """What was said about the order's matter: until that of the next one begins."""
        following = next((one for one in self.orders.values() if one.number > order.number), None)
        ends = order.ends if following is None else following.begins
        return said_about(order.begins, ends, self.said())

    def said(self) -> list[Utterance]:
        """The utterances in order of start."""
        return sorted((self.utterances or {}).values(), key=lambda one: (one.start, one.side))


@dataclass(frozen=True)
class OrderDraft:
    """One order of a call's draft."""

    of: CallDraft
    order_id: str

    @property
    def call(self) -> Call:
        """Its call, as far as it has come."""
        return self.of.call

    @property
    def order(self) -> Order:
        """The order as it was last seen in the database."""
        return self.of.orders[self.order_id]

    def became(self, order: Order) -> None:
        """Take over its next state."""
        self.of.put([order])
