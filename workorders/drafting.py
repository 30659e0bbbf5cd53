"""Orders while they grow: the draft of each call with an agent is refilled with every final utterance."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Protocol

import structlog

from domain.calls import Call, Side
from domain.facts import LifeSafetyAlert, Recorder
from domain.numbers import forms
from domain.orders import Alert, FieldValue, KnowledgeHit, Order, OrderState, RelatedOrder
from domain.outcomes import OutcomeSuggestion
from domain.transcripts import Utterance
from workorders import filling
from workorders.directories.reference import Reference
from workorders.extraction import ExtractionContext, extract
from workorders.extraction import language_model as language
from workorders.extraction.classifier import Classifier
from workorders.extraction.outcome import suggest
from workorders.knowledge import KnowledgeBase
from workorders.ports import CallReader, OrderStore, OrderWriter
from workorders.rules import OrderRules

log = structlog.get_logger(__name__)

DAY_S = 86_400.0
TRIES = 20
KNOWLEDGE_WORDS = 400
"""The knowledge base is searched with so many of the caller's latest characters."""


Edit = Callable[[Order], tuple[Order, tuple[str, ...]]]
"""An order to the order afterwards and the names of the fields that changed. Pure."""


class Assistant(Protocol):
    """Port: a language model that proposes field values."""

    async def ask(
        self, form: str, said: Sequence[Utterance], reference: Reference
    ) -> dict[str, FieldValue]: ...


@dataclass(frozen=True)
class Understanding:
    """What the fields of an order are found with."""

    reference: Reference
    classifier: Classifier | None = None
    knowledge: KnowledgeBase | None = None
    assistant: Assistant | None = None


@dataclass
class CallDraft:
    """What a live call needs while its order grows."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Whoever changes the order holds it."""
    call: Call | None = None
    order: Order | None = None
    utterances: dict[str, Utterance] | None = None
    answers: Mapping[str, FieldValue] = field(default_factory=dict)
    """What the language model proposed last."""
    asking: asyncio.Task[None] | None = None
    asked_at: float = float("-inf")
    alerted: bool = False

    def begun(self) -> tuple[Call, Order]:
        """The call and its order, of a draft that has been opened."""
        assert self.call is not None
        assert self.order is not None
        return self.call, self.order

    def said(self) -> list[Utterance]:
        """The utterances in order of start."""
        return sorted((self.utterances or {}).values(), key=lambda one: (one.start, one.side))


class Drafting:
    """The drafts of the live calls."""

    def __init__(
        self,
        rules: OrderRules,
        understanding: Understanding,
        facts: Recorder,
        calls: CallReader,
        orders: OrderStore,
        writer: OrderWriter,
    ) -> None:
        self._rules = rules
        self._with = understanding
        self._facts = facts
        self._calls = calls
        self._orders = orders
        self._writer = writer
        self._drafts: dict[str, CallDraft] = {}

    def live_call(self, call_id: str) -> Call | None:
        """The live call of that id as far as its draft knows it."""
        draft = self._drafts.get(call_id)
        return draft.call if draft else None

    async def open(self, call: Call, *, answered_now: bool = False) -> CallDraft:
        """The draft of that call, begun if there is none yet; `answered_now`: nothing was said before."""
        draft = self._drafts.setdefault(call.id, CallDraft())
        async with draft.lock:
            draft.call = call
            draft.order = draft.order or await self._begin(call)
            if draft.utterances is None:
                said = [] if answered_now else await self._calls.list_utterances(call.id)
                draft.utterances = {one.id: one for one in said}
        return draft

    async def _begin(self, call: Call) -> Order:
        """The order of that call: a new one, unless there is one already."""
        line = self._rules.line_of(call.line)
        begun = filling.new_order(call, line, call.answered_at or call.started_at)
        if await self._writer.change(None, begun, tuple(begun.fields)):
            return begun
        return await self._orders.order_of_call(call.id) or begun

    async def heard(self, utterance: Utterance) -> None:
        """Refill the order of the utterance's call."""
        draft = self._drafts.get(utterance.call_id)
        if draft is None or draft.call is None:
            call = await self._calls.get_call(utterance.call_id)
            if call is None or not call.has_work_order:
                return  # a call to somebody outside has a transcript, and no order
            draft = await self.open(call)
        async with draft.lock:
            draft.utterances = {**(draft.utterances or {}), utterance.id: utterance}
            await self._refill(draft)

    async def complete(self, call: Call) -> CallDraft:
        """Refill once more, now that the transcript is whole.

        An answer of the language model that is under way is waited for, but not long.
        """
        draft = await self.open(call)
        async with draft.lock:
            draft.call = call
            # Whatever was left out meanwhile, the database has it all.
            said = await self._calls.list_utterances(call.id)
            draft.utterances = {**(draft.utterances or {}), **{one.id: one for one in said}}
            await self._refill(draft)
        if draft.asking is not None:
            await asyncio.wait([draft.asking], timeout=self._rules.ask_wait_s)
        async with draft.lock:
            return draft

    def forget(self, call_id: str) -> None:
        """Let go of what only a live call needs."""
        draft = self._drafts.pop(call_id, None)
        if draft is not None and draft.asking is not None:
            draft.asking.cancel()

    async def change(self, draft: CallDraft, edit: Edit) -> Order:
        """Change the order of a draft whose lock is held, and return what the database holds afterwards.

        `edit` is applied again to the newer state wherever somebody else was faster.
        """
        call, order = draft.begun()
        for _ in range(TRIES):
            after, changed = edit(order)
            if after == order or await self._writer.change(order, after, changed):
                draft.order = after
                return after
            order = await self._orders.order_of_call(call.id) or order
            draft.order = order
        raise RuntimeError(f"order {order.id} changes faster than it can be written")

    def replace(self, order: Order) -> None:
        """Let a live call's draft know what its order has become."""
        draft = self._drafts.get(order.call_id)
        if draft is not None:
            draft.order = order

    @asynccontextmanager
    async def editing(self, order_id: str) -> AsyncIterator[CallDraft | None]:
        """The draft as the database holds it, locked in this process; `None`: no such order."""
        order = await self._orders.get_order(order_id)
        call = await self.call_of(order) if order is not None else None
        if call is None:
            yield None
            return
        draft = await self.open(call)
        async with draft.lock:
            await self.reread(draft)
            yield draft
        if call.ended_at is not None and draft.asking is None and self._drafts.get(call.id) is draft:
            # Nothing more is said on it: what it needs is read again should it be edited again.
            del self._drafts[call.id]

    async def edit(self, order_id: str, edit: Edit) -> Order | None:
        """Change an order, and return what the database holds afterwards; `None`: no such order."""
        async with self.editing(order_id) as draft:
            return None if draft is None else await self.change(draft, edit)

    async def call_of(self, order: Order) -> Call | None:
        """The order's call, as far as it has come."""
        return self.live_call(order.call_id) or await self._calls.get_call(order.call_id)

    async def reread(self, draft: CallDraft) -> None:
        """Take over what the database holds, in a draft whose lock is held."""
        call, order = draft.begun()
        draft.order = await self._orders.order_of_call(call.id) or order

    async def _refill(self, draft: CallDraft) -> None:
        call, before = draft.begun()
        said = draft.said()
        context = ExtractionContext(
            form=self._rules.line(call.line).form,
            caller=call.caller,
            reference=self._with.reference,
            classifier=self._with.classifier,
            started_at=call.started_at,
        )
        # Matching by sound takes tens of milliseconds on a long call: never on the event loop.
        found = await asyncio.to_thread(extract, said, context)
        fields, offers = language.merged(found.fields, found.offers, draft.answers)
        expected, _ = filling.refill(before, fields, time.time(), offers)
        beside = await self._beside(expected, call, said)

        def edit(order: Order) -> tuple[Order, tuple[str, ...]]:
            filled, changed = filling.refill(order, fields, time.time(), offers)
            return (filling.put_beside(filled, *beside, time.time()) if beside else filled), changed

        order = await self.change(draft, edit)
        self._alert(draft, order, call)
        self._ask(draft, call.id, context.form, said)

    async def _beside(
        self, order: Order, call: Call, said: Sequence[Utterance]
    ) -> tuple[tuple[RelatedOrder, ...], tuple[KnowledgeHit, ...], OutcomeSuggestion | None] | None:
        """Find earlier orders, articles and the likely outcome; `None` once the order is submitted."""
        if order.state is not OrderState.DRAFT:
            return None
        since = order.created_at - self._rules.related_days * DAY_S
        related = await self._orders.related(call.id, forms(call.caller.number), order.matter, since)
        told = "".join(one.text for one in said if one.side is Side.CALLER)[-KNOWLEDGE_WORDS:]
        knowledge = self._with.knowledge
        hits = await asyncio.to_thread(knowledge.search, told) if knowledge and told else ()
        return tuple(related), tuple(hits), suggest(said, call, order, related, hits)

    def _alert(self, draft: CallDraft, order: Order, call: Call) -> None:
        """Danger to life is reported at once, once a call, however it was learned."""
        danger = order.fields.get("life_safety")
        if danger is None or danger.value is not True or draft.alerted:
            return
        draft.alerted = True
        alert = Alert(
            call_id=call.id,
            order_id=order.id,
            line=order.line,
            agent=call.agent,
            at=time.time(),
            quote=danger.evidence[0].quote if danger.evidence else "",
            confidence=danger.confidence,
        )
        self._facts.record(LifeSafetyAlert(at=alert.at, alert=alert))
        log.warning("life_safety", call=call.id, order=order.id, line=order.line)

    # -- the language model, where there is one: asked beside the call, never waited for ---------------------
    def _ask(self, draft: CallDraft, call_id: str, form: str, said: Sequence[Utterance]) -> None:
        now = asyncio.get_running_loop().time()
        recently = now - draft.asked_at < self._rules.ask_every_s
        if self._with.assistant is None or draft.asking is not None or recently:
            return
        draft.asked_at = now
        work = self._answer(self._with.assistant, draft, call_id, form, said)
        draft.asking = asyncio.create_task(work, name=f"llm {call_id}")

    async def _answer(
        self, assistant: Assistant, draft: CallDraft, call_id: str, form: str, said: Sequence[Utterance]
    ) -> None:
        try:
            values = await assistant.ask(form, said, self._with.reference)
        except Exception:
            # Nobody waits for this task: it tells of its failure itself, and the next words ask again.
            log.exception("llm_failed", call=call_id)
            draft.asking = None
            return
        if self._drafts.get(call_id) is not draft:
            return
        async with draft.lock:
            draft.asking = None
            if values != draft.answers and self._drafts.get(call_id) is draft:
                draft.answers = values
                await self._refill(draft)
