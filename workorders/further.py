"""Further orders of a call (一事一单): an order for each matter, each from its own part of the call. Pure."""

from collections.abc import Mapping, Sequence
from typing import TypeVar

from msgspec import structs

from domain.orders import Order, OrderState
from domain.transcripts import Utterance
from workorders.errors import OrderRefusedError
from workorders.filling import order_id
from workorders.forms import ABOUT_CALLER

Value = TypeVar("Value")

MOST_ORDERS = 9
"""Of one call."""


def further_order(latest: Order, begins: float, at: float) -> Order:
    """Create an order for another matter of the call: who calls is known, what about is not.

    `latest`: the call's last order so far; `begins`: call time at which the matter begins.
    """
    number = latest.number + 1
    return Order(
        id=order_id(latest.call_id, number),
        call_id=latest.call_id,
        line=latest.line,
        state=OrderState.DRAFT,
        fields=about_caller({}, latest.fields),
        created_at=at,
        updated_at=at,
        number=number,
        begins=begins,
        source=latest.source,
    )


def check_further(latest: Order, number: int, begins: float) -> None:
    """Raises OrderRefusedError: `number` is not the next one or is too high (409), or the matter would begin
    before that of `latest` (422).
    """
    if number != latest.number + 1:
        raise OrderRefusedError("order_number", number=number, next=latest.number + 1)
    if number > MOST_ORDERS:
        raise OrderRefusedError("order_many", most=MOST_ORDERS)
    if begins < latest.begins:
        raise OrderRefusedError("order_begins", status=422, begins=round(latest.begins, 1))


def ended(order: Order, ends: float, at: float) -> Order:
    """Let the order's matter end there; one that has left stays as it left."""
    if order.state is not OrderState.DRAFT:
        return order
    return structs.replace(order, ends=ends, split=None, revision=order.revision + 1, updated_at=at)


def said_about(begins: float, ends: float | None, said: Sequence[Utterance]) -> list[Utterance]:
    """Of what was said on the call, what belongs to the matter between these, in seconds of call time.

    What is being said when a matter begins belongs to it: an order is opened once its matter has been heard.
    """
    return [one for one in said if begins < one.end and (ends is None or one.end <= ends)]


def about_caller(found: Mapping[str, Value], whole: Mapping[str, Value]) -> dict[str, Value]:
    """What was found for one matter, but who calls as found on the whole call."""
    own = {name: value for name, value in found.items() if name not in ABOUT_CALLER}
    return own | {name: value for name, value in whole.items() if name in ABOUT_CALLER}
