"""What can still be done with an order that has left: correct it, or withdraw it.

While it is corrected it is a draft again, with what had left beside it (`Order.sent`); it leaves as its next
revision when an agent submits it. The receiver is told of a withdrawal likewise.
"""

import time
from collections.abc import Callable

import structlog

from domain.orders import Order, Withdrawal
from workorders import filling
from workorders.drafting import Drafting
from workorders.errors import OrderRefusedError
from workorders.outcomes import MAX_WORDS
from workorders.submission import Submission

log = structlog.get_logger(__name__)


class Correction:
    """Orders that have left, changed."""

    def __init__(
        self, drafting: Drafting, submission: Submission, clock: Callable[[], float] = time.time
    ) -> None:
        self._drafting = drafting
        self._submission = submission
        self._clock = clock

    async def open(self, order_id: str, *, by: str) -> Order | None:
        """Open an order that has left again, to be corrected and sent anew. `None`: no such order.

        Raises:
            OrderRefusedError: it has not left, nothing of it was sent, or it was withdrawn.
        """

        def edit(order: Order) -> tuple[Order, tuple[str, ...]]:
            if order.sent is not None:
                return order, ()
            _has_left(order)
            return filling.reopened(order, self._clock()), ()

        log.info("order_reopened", order=order_id, by=by)
        return await self._drafting.edit(order_id, edit)

    async def give_up(self, order_id: str, *, by: str) -> Order | None:
        """Give up a correction: the order is again as it left. `None`: no such order."""
        return await self._replace(order_id, lambda order: filling.restored(order, self._clock()), by)

    async def withdraw(self, order_id: str, reason: str, *, by: str) -> Order | None:
        """Withdraw an order that has left: the receiver is told as its next revision. `None`: no such order.

        Raises:
            OrderRefusedError: it has not left, nothing of it was sent, or it was withdrawn already.
        """
        withdrawal = Withdrawal(self._clock(), by, reason.strip()[:MAX_WORDS])

        def withdrawn(order: Order) -> Order:
            _has_left(order)
            return filling.withdrawn(order, withdrawal, withdrawal.at)

        return await self._replace(order_id, withdrawn, by)

    async def _replace(self, order_id: str, become: Callable[[Order], Order], by: str) -> Order | None:
        """Change an order that has left; it goes out as it is then, where it is to."""
        async with self._drafting.editing(order_id) as draft:
            while draft is not None:
                order = draft.order
                after = become(order)
                if after == order or await self._submission.replace(order, after):
                    draft.became(after)
                    log.info("order_replaced", order=order_id, by=by, changes=after.changes)
                    return after
                await self._drafting.reread(draft.of)
        return None


def _has_left(order: Order) -> None:
    """Raises OrderRefusedError: the order has not left, nothing of it was sent, or it was withdrawn."""
    if order.withdrawn is not None:
        raise OrderRefusedError("order_withdrawn")
    if order.submitted_at is None:
        raise OrderRefusedError("order_not_sent")
