"""Orders while they grow: one draft for each call that reached an agent, refilled with every utterance."""

import asyncio
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import structlog

from gateway.bus import LocalBus
from gateway.models.call import Call
from gateway.models.facts import AnyFact, CallAnswered, OrderChanged, UtteranceHeard
from gateway.models.order import Order, OrderState
from gateway.models.transcript import Utterance
from gateway.settings import Settings
from gateway.storage.calls import CallRepository
from gateway.storage.journal import JournalWriter
from gateway.storage.orders import OrderRepository, SqlOutbox
from gateway.web.services import OrderRefusedError
from workorders import draft
from workorders.extraction import ExtractionContext, extract
from workorders.forms import check_value
from workorders.payload import RecordingRef, build_payload
from workorders.reference import Reference

log = structlog.get_logger(__name__)


class Orders:
    """The one place where orders change. Implements the web's `OrderPort`."""

    def __init__(
        self,
        settings: Settings,
        reference: Reference,
        journal: JournalWriter,
        bus: LocalBus,
        calls: CallRepository,
        orders: OrderRepository,
        outbox: SqlOutbox,
    ) -> None:
        self._settings = settings
        self._reference = reference
        self._journal = journal
        self._bus = bus
        self._calls = calls
        self._orders = orders
        self.outbox = outbox
        self._said: dict[str, dict[str, Utterance]] = defaultdict(dict)
        self._live: dict[str, Order] = {}
        self._call_of: dict[str, Call] = {}
        self._locks: dict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self.submitted = asyncio.Event()
        """Set whenever something new is in the outbox."""

    # -- while the call runs ---------------------------------------------------------------------------
    async def on_fact(self, fact: AnyFact) -> None:
        """Begin a draft when a call is answered; refill it with every final utterance."""
        if isinstance(fact, CallAnswered):
            await self.of_call(fact.call)
        elif isinstance(fact, UtteranceHeard) and fact.utterance.final:
            await self.heard(fact.utterance)

    async def of_call(self, call: Call) -> Order:
        """The order of that call, begun if there is none yet."""
        async with self._locks[call.id]:
            self._call_of[call.id] = call
            order = self._live.get(call.id) or await self._orders.order_of_call(call.id)
            if order is None:
                order = draft.new_order(call, self._line_id(call), call.answered_at or call.started_at)
                self._tell(order, tuple(order.fields), time.time())
            if call.id not in self._said:
                said = await self._calls.list_utterances(call.id)
                self._said[call.id] = {one.id: one for one in said}
            self._live[call.id] = order
            return order

    async def heard(self, utterance: Utterance) -> None:
        """Refill the order of the utterance's call."""
        call_id = utterance.call_id
        if call_id not in self._call_of:
            call = await self._calls.get_call(call_id)
            if call is None:
                return
            await self.of_call(call)
        async with self._locks[call_id]:
            self._said[call_id][utterance.id] = utterance
            await self._refill(call_id)

    async def _refill(self, call_id: str) -> None:
        call = self._call_of[call_id]
        said = sorted(self._said[call_id].values(), key=lambda one: (one.start, one.side))
        line = self._settings.line(call.line)
        context = ExtractionContext(
            form=line.form if line else "general", caller=call.caller, reference=self._reference
        )
        # Matching by sound takes tens of milliseconds on a long call: never on the event loop.
        fields = await asyncio.to_thread(extract, said, context)
        order, changed = draft.refill(self._live[call_id], fields, time.time())
        if changed:
            self._tell(order, changed, order.updated_at)

    def _tell(self, order: Order, changed: tuple[str, ...], at: float) -> None:
        self._live[order.call_id] = order
        fact = OrderChanged(at=at, order=order, changed=changed)
        self._journal.put(fact)
        self._bus.publish(fact)

    def _line_id(self, call: Call) -> str:
        if call.line:
            return call.line
        return self._settings.lines[0].id if self._settings.lines else "default"

    # -- after the call ----------------------------------------------------------------------------------
    async def complete(self, call: Call, recordings: Sequence[RecordingRef]) -> Order:
        """The transcript is whole: the last refill, and off with it where the line says so."""
        order = await self.of_call(call)
        async with self._locks[call.id]:
            self._call_of[call.id] = call
            await self._refill(call.id)
            order = self._live[call.id]
        line = self._settings.line(order.line)
        if order.state is OrderState.DRAFT and (line is None or line.submit == "on_hangup"):
            order = await self._submit(order, call, recordings)
        self.forget(call.id)
        return order

    async def _submit(self, order: Order, call: Call, recordings: Sequence[RecordingRef]) -> Order:
        now = time.time()
        sent = draft.submitted(order, now)
        said = await self._calls.list_utterances(call.id)
        body = build_payload(sent, call, said, recordings)
        bodies = {
            endpoint.id: body
            for endpoint in self._settings.workorders
            if not endpoint.lines or sent.line in endpoint.lines
        }
        if not bodies:
            log.warning("order_without_endpoint", order=sent.id, line=sent.line, mend="add [[workorders]]")
        await self._journal.flush()
        await self._orders.submit(sent, bodies, now)
        self._tell(sent, (), now)
        self.submitted.set()
        log.info("order_submitted", order=sent.id, call=call.id, line=sent.line, endpoints=sorted(bodies))
        return sent

    def forget(self, call_id: str) -> None:
        """Let go of what only a live call needs."""
        for table in (self._said, self._live, self._call_of, self._locks):
            table.pop(call_id, None)

    async def on_delivered(self, order_id: str, external_id: str | None, at: float) -> None:
        """An endpoint has the order; when all have, it is delivered."""
        if await self._orders.pending_deliveries(order_id):
            return
        await self._settle(order_id, OrderState.DELIVERED, external_id, at)

    async def on_dead(self, order_id: str, at: float) -> None:
        """An endpoint will never have the order as it is."""
        await self._settle(order_id, OrderState.DEAD, None, at)

    async def _settle(self, order_id: str, state: OrderState, external_id: str | None, at: float) -> None:
        await self._journal.flush()
        order = await self._orders.get_order(order_id)
        if order is None or order.state is state:
            return
        settled = draft.with_state(order, state, at, external_id=external_id)
        fact = OrderChanged(at=at, order=settled, changed=())
        self._journal.put(fact)
        self._bus.publish(fact)

    # -- the web's port ------------------------------------------------------------------------------------
    async def get_order(self, order_id: str) -> Order | None:
        """The order as it is now."""
        for order in self._live.values():
            if order.id == order_id:
                return order
        return await self._orders.get_order(order_id)

    async def list_orders(self, *, state: OrderState | None = None, limit: int = 50) -> Sequence[Order]:
        """Newest first."""
        return await self._orders.list_orders(state=state, limit=limit)

    async def set_fields(
        self, order_id: str, fields: Mapping[str, Any], *, revision: int | None, by: str
    ) -> Order | None:
        """What the agent typed; see `OrderPort`."""
        order = await self.get_order(order_id)
        if order is None:
            return None
        call = self._call_of.get(order.call_id) or await self._calls.get_call(order.call_id)
        if call is None:
            return None
        await self.of_call(call)
        async with self._locks[call.id]:
            order = self._live[call.id]
            if order.state is not OrderState.DRAFT:
                raise OrderRefusedError("the order has been submitted; it can no longer be changed here")
            if revision is not None and revision != order.revision:
                raise OrderRefusedError(
                    f"the order is at revision {order.revision}, not {revision}: read it again"
                )
            line = self._settings.line(order.line)
            form = line.form if line else "general"
            try:
                checked = {name: check_value(form, name, value) for name, value in fields.items()}
            except ValueError as error:
                raise OrderRefusedError(str(error), status=422) from None
            order = draft.set_by_agent(order, checked, time.time())
            self._tell(order, tuple(checked), order.updated_at)
            log.info("order_edited", order=order.id, by=by, fields=sorted(checked))
            return order

    async def submit(self, order_id: str, *, by: str) -> Order | None:
        """Hand the order to the outbox; see `OrderPort`."""
        order = await self.get_order(order_id)
        if order is None:
            return None
        if order.state is OrderState.DEAD:
            raise OrderRefusedError("its delivery was given up; retry the delivery instead")
        if order.state is not OrderState.DRAFT:
            return order
        call = self._call_of.get(order.call_id) or await self._calls.get_call(order.call_id)
        if call is None:
            return None
        taken = await self._calls.list_recordings(call.id)
        references = [RecordingRef(sha256=r.sha256, duration=r.duration, path=r.path) for r in taken]
        log.info("order_sent_off", order=order.id, by=by)
        return await self._submit(order, call, references)
