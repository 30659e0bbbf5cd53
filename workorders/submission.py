"""How an order leaves: into the outbox, revision by revision, and what becomes of its deliveries."""

import time
from collections.abc import Callable, Mapping, Sequence

import structlog
from msgspec import structs

from domain.calls import Call
from domain.facts import Recorder
from domain.history import text_of
from domain.orders import Order, OrderState, Withdrawal
from domain.outcomes import JOINED, ORDER, CallOutcome, Sends, Supplement
from domain.recordings import StoredRecording
from domain.transcripts import Utterance
from workorders import filling
from workorders.delivery.payload import LinksFor, RecordingRef, build_payload
from workorders.ports import CallReader, Change, OrderStore, OrderWriter
from workorders.rules import OrderRules

log = structlog.get_logger(__name__)

TRIES = 20


class Submission:
    """Submits orders, and settles what an earlier run left behind."""

    def __init__(
        self, rules: OrderRules, facts: Recorder, calls: CallReader, orders: OrderStore, writer: OrderWriter
    ) -> None:
        self._rules = rules
        self._facts = facts
        self._calls = calls
        self._orders = orders
        self._writer = writer
        self.on_submitted: Callable[[], None] = lambda: None
        """Called whenever something new is in the outbox."""

    async def submit(
        self, order: Order, call: Call, recordings: Sequence[RecordingRef], by: str = ""
    ) -> Order | None:
        """Conclude this very state of the order as the outcome of its call says: what was read is sent, once.

        `by`: who asks for it, empty if nobody does.
        Returns the order as submitted or dropped; `None` if it has changed since it was read.
        """
        now = time.time()
        # Nobody chose one: whoever called is not left without an order.
        outcome = order.outcome or CallOutcome(kind=ORDER, at=now, by=by)
        await self._facts.flush()
        if outcome.kind == JOINED:
            target = await self._orders.get_order(outcome.order_id)
            if target is not None and target.withdrawn is None:
                return await self._join(order, outcome, now)
            # Withdrawn since: what the citizen said is not lost with it.
            outcome = CallOutcome(kind=ORDER, at=now, by=outcome.by)
        if self._rules.outcome(outcome.kind).sends is Sends.NOTHING and order.submitted_at is None:
            closed = filling.dropped(order, outcome, now)
            if not await self._writer.change(order, closed):
                return None
            log.info("order_dropped", order=order.id, call=call.id, outcome=outcome.kind)
            return closed
        sent = self._leaving(order, outcome, now)
        bodies = await self._bodies(sent, call, recordings)
        if not await self._writer.change(order, sent, (), bodies):
            return None
        self._left(sent, bodies)
        return sent

    def _leaving(self, order: Order, outcome: CallOutcome, now: float) -> Order:
        """The order as it leaves; one that has left already leaves withdrawn where nothing is to be sent."""
        kind = self._rules.outcome(outcome.kind)
        if kind.sends is not Sends.NOTHING:
            return filling.submitted(order, outcome, now)
        gone = filling.withdrawn(order, Withdrawal(now, outcome.by, kind.name), now)
        return structs.replace(gone, outcome=outcome)

    async def replace(self, order: Order, after: Order) -> bool:
        """Replace an order that has left by its next state, and send it where it leaves with that.

        Whether the database held `order`.
        """
        leaves = after.submitted_at != order.submitted_at
        bodies = await self._bodies_of(after) if leaves else {}
        if not await self._writer.change(order, after, (), bodies):
            return False
        if leaves:
            self._left(after, bodies)
        return True

    async def _join(self, order: Order, outcome: CallOutcome, now: float) -> Order | None:
        """Drop the draft and let the order it adds to go out as its next revision: both or neither."""
        told = outcome.answer or text_of(order, "summary")
        added = Supplement(
            call_id=order.call_id,
            at=now,
            by=outcome.by,
            urges=outcome.urges,
            text=told,
            order_id=order.id,
        )
        own: Mapping[str, bytes] = {}
        if order.submitted_at is None:
            closed = filling.dropped(order, outcome, now)
        else:
            closed = self._leaving(order, outcome, now)
            own = await self._bodies_of(closed)
        for _ in range(TRIES):
            target = await self._orders.get_order(outcome.order_id)
            assert target is not None  # orders are not deleted
            grown = filling.supplemented(target, added, now)
            bodies = await self._bodies_of(grown) if grown.state is OrderState.SUBMITTED else {}
            both = [Change(order, closed, (), own)]
            if grown != target:
                both.append(Change(target, grown, (), bodies))
            if await self._writer.change_all(both):
                self._left(grown, bodies)
                return closed
            if await self._orders.get_order(order.id) != order:
                return None
        raise RuntimeError(f"order {outcome.order_id} changes faster than it can be written")

    async def _bodies_of(self, order: Order) -> Mapping[str, bytes]:
        """What is sent of an order whose call is over."""
        call = await self._calls.get_call(order.call_id)
        if call is None:
            return {}
        return await self._bodies(order, call, references(await self._calls.list_recordings(call.id)))

    async def _bodies(
        self, order: Order, call: Call, recordings: Sequence[RecordingRef]
    ) -> Mapping[str, bytes]:
        said = await self._calls.list_utterances(call.id)
        return {
            endpoint: _written(order, call, said, recordings, self._rules, endpoint)
            for endpoint in self._rules.endpoints_of(order.line)
        }

    def _left(self, order: Order, bodies: Mapping[str, bytes]) -> None:
        if order.state is not OrderState.SUBMITTED:
            return
        if not bodies:
            log.warning("order_without_endpoint", order=order.id, line=order.line, fix="add [[workorders]]")
        self.on_submitted()
        log.info(
            "order_submitted",
            order=order.id,
            call=order.call_id,
            line=order.line,
            revision=order.revision,
            endpoints=sorted(bodies),
        )

    async def settle_left_behind(self) -> int:
        """Settle orders whose deliveries are over though they still count as submitted; how many."""
        left = await self._orders.unsettled()
        for order in left:
            state, number, at = await self._orders.outcome_of(order.id)
            settled = filling.with_state(order, OrderState(state), at or time.time(), external_id=number)
            await self._writer.change(order, settled)
        return len(left)


def references(taken: Sequence[StoredRecording]) -> list[RecordingRef]:
    """The recordings as a receiver is told of them."""
    return [RecordingRef(sha256=one.sha256, duration=one.duration, path=one.path, id=one.id) for one in taken]


async def document_of(order: Order, calls: CallReader, rules: OrderRules, endpoint: str) -> bytes | None:
    """The order's document as it is now, for that system; `None`: its call is not there."""
    call = await calls.get_call(order.call_id)
    if call is None:
        return None
    taken, said = await calls.list_recordings(call.id), await calls.list_utterances(call.id)
    return _written(order, call, said, references(taken), rules, endpoint)


def _written(
    order: Order,
    call: Call,
    said: Sequence[Utterance],
    recordings: Sequence[RecordingRef],
    rules: OrderRules,
    endpoint: str,
) -> bytes:
    kind = rules.outcome(order.outcome.kind if order.outcome is not None else ORDER)
    links = None if rules.links is None else LinksFor(rules.links, endpoint)
    return build_payload(order, call, said, recordings, kind, links)
