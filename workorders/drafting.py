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
from domain.orders import Alert, FieldValue, Order, OrderState
from domain.transcripts import Utterance
from workorders import filling
from workorders.call_draft import CallDraft, OrderDraft
from workorders.directories.reference import Reference
from workorders.extraction import Extraction, ExtractionContext, extract
from workorders.extraction import language_model as language
from workorders.extraction.classifier import Classifier
from workorders.extraction.lessons import Lessons
from workorders.extraction.outcome import suggest
from workorders.extraction.split import suggest_split
from workorders.filling import Beside
from workorders.further import about_caller, check_further, ended, further_order
from workorders.knowledge import KnowledgeBase
from workorders.ports import CallReader, Change, OrderStore, OrderWriter
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


@dataclass
class LessonBook:
    """What orders that came back teach about the unit, as far as that is known now."""

    current: Lessons | None = None


@dataclass(frozen=True)
class Understanding:
    """What the fields of an order are found with."""

    reference: Reference
    classifier: Classifier | None = None
    knowledge: KnowledgeBase | None = None
    assistant: Assistant | None = None
    lessons: LessonBook = field(default_factory=LessonBook)


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
        draft = self._drafts.setdefault(call.id, CallDraft(call))
        async with draft.lock:
            draft.call = call
            if not draft.orders:
                draft.put(await self._begin(call))
            if draft.utterances is None:
                said = [] if answered_now else await self._calls.list_utterances(call.id)
                draft.utterances = {one.id: one for one in said}
        return draft

    async def _begin(self, call: Call) -> Sequence[Order]:
        """The orders of that call: a new one, unless it has some already."""
        line = self._rules.line_of(call.line)
        begun = filling.new_order(call, line, call.answered_at or call.started_at)
        if await self._writer.change(None, begun, tuple(begun.fields)):
            return [begun]
        return await self._orders.orders_of_call(call.id) or [begun]

    async def heard(self, utterance: Utterance) -> None:
        """Refill the orders of the utterance's call."""
        draft = self._drafts.get(utterance.call_id)
        if draft is None or not draft.orders:
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

    async def change(self, draft: OrderDraft, edit: Edit) -> Order:
        """Change an order of a draft whose lock is held, and return what the database holds afterwards.

        `edit` is applied again to the newer state wherever somebody else was faster.
        """
        for _ in range(TRIES):
            order = draft.order
            after, changed = edit(order)
            if after == order or await self._writer.change(order, after, changed):
                draft.became(after)
                return after
            await self.reread(draft.of)
        raise RuntimeError(f"order {draft.order_id} changes faster than it can be written")

    def replace(self, order: Order) -> None:
        """Let a live call's draft know what its order has become."""
        draft = self._drafts.get(order.call_id)
        if draft is not None:
            draft.put([order])

    @asynccontextmanager
    async def editing(self, order_id: str) -> AsyncIterator[OrderDraft | None]:
        """The order as the database holds it, locked in this process; `None`: no such order."""
        order = await self._orders.get_order(order_id)
        call = await self.call_of(order) if order is not None else None
        if call is None:
            yield None
            return
        async with self.editing_call(call) as draft:
            yield OrderDraft(draft, order_id)

    @asynccontextmanager
    async def editing_call(self, call: Call) -> AsyncIterator[CallDraft]:
        """The call's draft as the database holds it, locked in this process."""
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
        return await self.call(order.call_id)

    async def call(self, call_id: str) -> Call | None:
        """That call, as far as it has come."""
        return self.live_call(call_id) or await self._calls.get_call(call_id)

    async def reread(self, draft: CallDraft) -> None:
        """Take over what the database holds, in a draft whose lock is held."""
        draft.put(await self._orders.orders_of_call(draft.call.id))

    # -- several matters, an order each --------------------------------------------------------------------
    async def add(self, call: Call, number: int, begins: float) -> Order:
        """Open the call's order of that number, for another matter; asked again, it is there already.

        `begins`: where in the call the matter begins, seconds of call time.

        Raises:
            OrderRefusedError: as `check_further` says.
        """
        async with self.editing_call(call) as draft:
            while draft.latest().number < number:
                latest, now = draft.latest(), time.time()
                check_further(latest, number, begins)
                further, before = further_order(latest, begins, now), ended(latest, begins, now)
                changes = [Change(None, further, tuple(further.fields))]
                if before != latest:
                    changes.append(Change(latest, before))
                if await self._writer.change_all(changes):
                    draft.put([before, further])
                    log.info("order_added", order=further.id, call=call.id, number=number)
                    await self._refill(draft)
                else:
                    await self.reread(draft)
            return next(one for one in draft.orders.values() if one.number == number)

    async def _refill(self, draft: CallDraft) -> None:
        call = draft.call
        context = ExtractionContext(
            form=self._rules.line(call.line).form,
            caller=call.caller,
            reference=self._with.reference,
            classifier=self._with.classifier,
            lessons=self._with.lessons.current,
            started_at=call.started_at,
        )
        # Who calls is known from the whole call; what about, from where it was talked about.
        whole = await self._extracted(draft.said(), context) if len(draft.orders) > 1 else None
        for order in list(draft.orders.values()):
            if order.state is OrderState.DRAFT:
                about = draft.about(order)
                found = await self._extracted(about, context)
                fields, offers = language.merged(
                    about_caller(found.fields, whole.fields) if whole else found.fields,
                    about_caller(found.offers, whole.offers) if whole else found.offers,
                    draft.answers.get(order.id, {}),
                )
                await self._fill(OrderDraft(draft, order.id), fields, offers, about)
            # Also of one that has left: danger may have been typed a moment before.
            self._alert(draft, draft.orders[order.id])
        latest = draft.latest()
        self._ask(draft, latest.id, context.form, draft.about(latest))

    async def _extracted(self, said: Sequence[Utterance], context: ExtractionContext) -> Extraction:
        # Matching by sound takes tens of milliseconds on a long call: never on the event loop.
        return await asyncio.to_thread(extract, said, context)

    async def _fill(
        self,
        draft: OrderDraft,
        fields: Mapping[str, FieldValue],
        offers: Mapping[str, tuple[FieldValue, ...]],
        about: Sequence[Utterance],
    ) -> None:
        expected, _ = filling.refill(draft.order, fields, time.time(), offers)
        beside = await self._beside(expected, draft.call, about)

        def edit(order: Order) -> tuple[Order, tuple[str, ...]]:
            filled, changed = filling.refill(order, fields, time.time(), offers)
            return filling.put_beside(filled, beside, time.time()), changed

        await self.change(draft, edit)

    async def _beside(self, order: Order, call: Call, said: Sequence[Utterance]) -> Beside:
        """Find earlier orders, articles, the likely outcome, and where another matter begins."""
        since = order.created_at - self._rules.related_days * DAY_S
        related = await self._orders.related(call.id, forms(call.caller.number), order.matter, since)
        told = "".join(one.text for one in said if one.side is Side.CALLER)[-KNOWLEDGE_WORDS:]
        knowledge = self._with.knowledge
        hits = await asyncio.to_thread(knowledge.search, told) if knowledge and told else ()
        # The first order's outcome is the call's; a further one is opened to be dealt with.
        outcome = suggest(said, call, order, related, hits) if order.number == 1 else None
        classifier, split = self._with.classifier, None
        if order.ends is None:
            split = await asyncio.to_thread(suggest_split, said, classifier)
        return Beside(tuple(related), tuple(hits), outcome, split)

    def _alert(self, draft: CallDraft, order: Order) -> None:
        """Danger to life is reported at once, once a call, however it was learned."""
        danger = order.fields.get("life_safety")
        if danger is None or danger.value is not True or draft.alerted:
            return
        draft.alerted = True
        alert = Alert(
            call_id=order.call_id,
            order_id=order.id,
            line=order.line,
            agent=draft.call.agent,
            at=time.time(),
            quote=danger.evidence[0].quote if danger.evidence else "",
            confidence=danger.confidence,
        )
        self._facts.record(LifeSafetyAlert(at=alert.at, alert=alert))
        log.warning("life_safety", call=order.call_id, order=order.id, line=order.line)

    # -- the language model, where there is one: asked beside the call, never waited for ---------------------
    def _ask(self, draft: CallDraft, order_id: str, form: str, said: Sequence[Utterance]) -> None:
        now = asyncio.get_running_loop().time()
        recently = now - draft.asked_at < self._rules.ask_every_s
        if self._with.assistant is None or draft.asking is not None or recently:
            return
        draft.asked_at = now
        work = self._answer(self._with.assistant, OrderDraft(draft, order_id), form, said)
        draft.asking = asyncio.create_task(work, name=f"llm {draft.call.id}")

    async def _answer(
        self, assistant: Assistant, asked: OrderDraft, form: str, said: Sequence[Utterance]
    ) -> None:
        draft, call_id = asked.of, asked.call.id
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
            if values != draft.answers.get(asked.order_id, {}) and self._drafts.get(call_id) is draft:
                draft.answers[asked.order_id] = values
                await self._refill(draft)
