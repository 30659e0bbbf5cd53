"""Orders while they grow: one draft for each call that reached an agent, refilled with every utterance."""

import asyncio
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import structlog

from domain.calls import Call, Side
from domain.facts import AnyFact, CallAnswered, LifeSafetyAlert, OrderChanged, UtteranceHeard
from domain.numbers import forms
from domain.orders import Alert, FieldValue, Order, OrderState
from domain.transcripts import Utterance
from gateway.facts.bus import LocalBus
from gateway.settings import Settings
from gateway.storage.calls import CallRepository
from gateway.storage.journal import JournalWriter
from gateway.storage.orders import OrderRepository, SqlOutbox
from gateway.web.services import OrderRefusedError
from workorders import filling
from workorders.delivery.payload import RecordingRef, build_payload
from workorders.directories.reference import Reference
from workorders.extraction import ExtractionContext, extract
from workorders.extraction import language_model as language
from workorders.extraction.classifier import Classifier
from workorders.forms import FieldError, check_value
from workorders.knowledge import KnowledgeBase

log = structlog.get_logger(__name__)

DAY_S = 86_400.0
KNOWLEDGE_WORDS = 400
"""The knowledge base is asked with the newest so many characters of the caller's words."""


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
        *,
        classifier: Classifier | None = None,
        knowledge: KnowledgeBase | None = None,
        model: language.LanguageModel | None = None,
    ) -> None:
        self._classifier = classifier
        self._knowledge = knowledge
        self._model = model
        self._answers: dict[str, dict[str, FieldValue]] = {}
        self._asking: dict[str, asyncio.Task[None]] = {}
        self._asked_at: dict[str, float] = {}
        self._alerted: set[str] = set()
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
                order = filling.new_order(call, self._line_id(call), call.answered_at or call.started_at)
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
            if call is None or not call.has_work_order:
                return  # a call to somebody outside has a transcript, and no order
            await self.of_call(call)
        async with self._locks[call_id]:
            self._said[call_id][utterance.id] = utterance
            await self._refill(call_id)

    async def _refill(self, call_id: str) -> None:
        call = self._call_of[call_id]
        said = sorted(self._said[call_id].values(), key=lambda one: (one.start, one.side))
        line = self._settings.line(call.line)
        context = ExtractionContext(
            form=line.form if line else "general",
            caller=call.caller,
            reference=self._reference,
            classifier=self._classifier,
            started_at=call.started_at,
        )
        # Matching by sound takes tens of milliseconds on a long call: never on the event loop.
        found = await asyncio.to_thread(extract, said, context)
        fields, offers = language.merged(found.fields, found.offers, self._answers.get(call_id, {}))
        order, changed = filling.refill(self._live[call_id], fields, time.time(), offers)
        order = await self._beside(order, call, said)
        if order != self._live[call_id]:
            self._tell(order, changed, order.updated_at)
        self._alert(order, call)
        self._ask(call_id, context.form, said)

    async def _beside(self, order: Order, call: Call, said: Sequence[Utterance]) -> Order:
        """Earlier orders and articles that may help the agent."""
        if order.state is not OrderState.DRAFT:
            return order
        since = order.created_at - self._settings.reference.related_days * DAY_S
        related = await self._orders.related(call.id, forms(call.caller.number), order.matter, since)
        told = "".join(one.text for one in said if one.side is Side.CALLER)[-KNOWLEDGE_WORDS:]
        hits = await asyncio.to_thread(self._knowledge.search, told) if self._knowledge and told else ()
        return filling.put_beside(order, tuple(related), hits, time.time())

    def _alert(self, order: Order, call: Call) -> None:
        """Danger to life is told at once, once a call, however it was learned."""
        danger = order.fields.get("life_safety")
        if danger is None or danger.value is not True or call.id in self._alerted:
            return
        self._alerted.add(call.id)
        alert = Alert(
            call_id=call.id,
            order_id=order.id,
            line=order.line,
            agent=call.agent,
            at=time.time(),
            quote=danger.evidence[0].quote if danger.evidence else "",
            confidence=danger.confidence,
        )
        fact = LifeSafetyAlert(at=alert.at, alert=alert)
        self._journal.put(fact)
        self._bus.publish(fact)
        log.warning("life_safety", call=call.id, order=order.id, line=order.line)

    # -- the language model, where there is one: asked beside the call, never waited for ---------------------
    def _ask(self, call_id: str, form: str, said: Sequence[Utterance]) -> None:
        now = asyncio.get_running_loop().time()
        recently = now - self._asked_at.get(call_id, -1e9) < self._settings.llm.every_s
        if self._model is None or call_id in self._asking or recently:
            return
        self._asked_at[call_id] = now
        task = asyncio.create_task(self._answer(call_id, form, said), name=f"llm {call_id}")
        self._asking[call_id] = task

    async def _answer(self, call_id: str, form: str, said: Sequence[Utterance]) -> None:
        assert self._model is not None
        values = await self._model.ask(form, said, self._reference)
        if call_id not in self._live:
            return
        async with self._locks[call_id]:
            self._asking.pop(call_id, None)
            if values != self._answers.get(call_id) and call_id in self._live and call_id in self._said:
                self._answers[call_id] = values
                await self._refill(call_id)

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
        asking = self._asking.get(call.id)
        if asking is not None:
            # An answer under way may still come in; the order does not wait longer for it.
            await asyncio.wait([asking], timeout=self._settings.llm.finish_wait_s)
        async with self._locks[call.id]:
            order = self._live[call.id]
        line = self._settings.line(order.line)
        if order.state is OrderState.DRAFT and (line is None or line.submit == "on_hangup"):
            order = await self._submit(order, call, recordings)
        self.forget(call.id)
        return order

    async def _submit(self, order: Order, call: Call, recordings: Sequence[RecordingRef]) -> Order:
        now = time.time()
        sent = filling.submitted(order, now)
        said = await self._calls.list_utterances(call.id)
        body = build_payload(sent, call, said, recordings)
        bodies = {
            endpoint.id: body
            for endpoint in self._settings.workorders
            if not endpoint.lines or sent.line in endpoint.lines
        }
        if not bodies:
            log.warning("order_without_endpoint", order=sent.id, line=sent.line, fix="add [[workorders]]")
        await self._journal.flush()
        await self._orders.submit(sent, bodies, now)
        self._tell(sent, (), now)
        self.submitted.set()
        log.info("order_submitted", order=sent.id, call=call.id, line=sent.line, endpoints=sorted(bodies))
        return sent

    def forget(self, call_id: str) -> None:
        """Let go of what only a live call needs."""
        asking = self._asking.pop(call_id, None)
        if asking is not None:
            asking.cancel()
        self._alerted.discard(call_id)
        for table in (
            self._said,
            self._live,
            self._call_of,
            self._locks,
            self._answers,
            self._asked_at,
        ):
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
        settled = filling.with_state(order, state, at, external_id=external_id)
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

    async def order_of_call(self, call_id: str) -> Order | None:
        """The call's order as it is now."""
        return self._live.get(call_id) or await self._orders.order_of_call(call_id)

    async def list_orders(self, *, state: OrderState | None = None, limit: int = 50) -> Sequence[Order]:
        """Newest first."""
        return await self._orders.list_orders(state=state, limit=limit)

    @asynccontextmanager
    async def _editing(self, order_id: str) -> AsyncIterator[Order | None]:
        """The draft, with everybody else kept away from it; `None`: no such order.

        Raises:
            OrderRefusedError: it has been submitted.
        """
        order = await self.get_order(order_id)
        if order is None:
            yield None
            return
        call = self._call_of.get(order.call_id) or await self._calls.get_call(order.call_id)
        if call is None:
            yield None
            return
        await self.of_call(call)
        async with self._locks[call.id]:
            order = self._live[call.id]
            if order.state is not OrderState.DRAFT:
                raise OrderRefusedError("order_submitted", code="submitted")
            yield order

    async def set_fields(
        self,
        order_id: str,
        fields: Mapping[str, Any],
        *,
        revision: int | None,
        by: str,
        seen: Mapping[str, Any] | None = None,
    ) -> Order | None:
        """What the agent typed; see `OrderPort`."""
        async with self._editing(order_id) as order:
            if order is None:
                return None
            if revision is not None and revision != order.revision:
                raise OrderRefusedError("order_stale", code="stale", revision=order.revision, asked=revision)
            if typed := filling.overtaken(order, fields, seen or {}):
                raise OrderRefusedError("order_overtaken", code="overtaken", fields=", ".join(typed))
            line = self._settings.line(order.line)
            form = line.form if line else "general"
            try:
                checked = {name: check_value(form, name, value) for name, value in fields.items()}
            except FieldError as error:
                raise OrderRefusedError(error.message.code, status=422, **error.message.params) from None
            edited = filling.set_by_agent(order, checked, time.time())
            self._tell(edited, tuple(checked), edited.updated_at)
            log.info("order_edited", order=order.id, by=by, fields=sorted(checked))
            return edited

    async def mark_duplicate(self, order_id: str, original: str | None, *, by: str) -> Order | None:
        """This order repeats that one, or (`None`) does not; see `OrderPort`."""
        first = original
        if original is not None:
            other = await self.get_order(original)
            if other is None:
                raise OrderRefusedError("order_unknown", status=422, order=original)
            # One step leads to the first of them all: nobody must follow a chain.
            first = other.duplicate_of or other.id
        async with self._editing(order_id) as order:
            if order is None:
                return None
            if first == order.id:
                raise OrderRefusedError("order_itself", status=422)
            marked = filling.marked_duplicate(order, first, time.time())
            if marked != order:
                self._tell(marked, (), marked.updated_at)
                log.info("order_marked", order=order.id, by=by, duplicate_of=first)
            return marked

    async def submit(self, order_id: str, *, by: str) -> Order | None:
        """Hand the order to the outbox; see `OrderPort`."""
        order = await self.get_order(order_id)
        if order is None:
            return None
        if order.state is OrderState.DEAD:
            raise OrderRefusedError("order_dead")
        if order.state is not OrderState.DRAFT:
            return order
        call = self._call_of.get(order.call_id) or await self._calls.get_call(order.call_id)
        if call is None:
            return None
        taken = await self._calls.list_recordings(call.id)
        references = [RecordingRef(sha256=r.sha256, duration=r.duration, path=r.path) for r in taken]
        log.info("order_sent_off", order=order.id, by=by)
        return await self._submit(order, call, references)
