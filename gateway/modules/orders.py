"""Work orders: drafted while the call goes on, filled in by agents, submitted."""

import asyncio
from collections.abc import Collection, Iterable, Mapping

from fastapi import APIRouter

from domain.facts import AgentChanged, AnyFact, CallAnswered, UtteranceHeard
from domain.orders import Order
from gateway.factories import document_links
from gateway.facts.bus import LocalBus
from gateway.facts.consumers import Consumer
from gateway.facts.order_writer import DatabaseOrderWriter
from gateway.facts.recorder import FactRecorder
from gateway.module import Module
from gateway.runtime import Runtime
from gateway.settings import Settings
from gateway.storage.command_log import CommandRepository
from gateway.storage.database import Database
from gateway.storage.intake import CallsAndMatters, IntakeRepository
from gateway.storage.order_status import OrderStatusRepository
from gateway.storage.orders import OrderRepository
from gateway.storage.unsaved_input import UnsavedInputRepository
from gateway.supervision import Job
from gateway.web.access import Access
from gateway.web.auditing import note_into
from gateway.web.routes import intake, orders
from workorders.directories.reference import Reference
from workorders.drafting import LessonBook, Understanding
from workorders.extraction.classifier import MODEL as CLASSIFIER
from workorders.extraction.classifier import load_classifier
from workorders.extraction.language_model import LanguageModel
from workorders.forms import FORMS
from workorders.intake import IntakeService
from workorders.knowledge import load_knowledge
from workorders.rules import LineRules, OrderRules
from workorders.service import OrderService


class OrdersModule(Module):
    """The order service, fed with what is said on calls."""

    name = "orders"
    needs = (
        Database,
        FactRecorder,
        CallsAndMatters,
        IntakeRepository,
        OrderRepository,
        OrderStatusRepository,
        CommandRepository,
        Reference,
        LessonBook,
    )

    async def open(self, runtime: Runtime) -> None:
        """Provide the `OrderService`."""
        files = runtime.settings.reference
        understanding = Understanding(
            runtime.get(Reference),
            classifier=await asyncio.to_thread(load_classifier, files.classifier or CLASSIFIER),
            knowledge=await asyncio.to_thread(load_knowledge, files.knowledge),
            assistant=await self._assistant(runtime),
            lessons=runtime.get(LessonBook),
        )
        self._rules = order_rules(runtime.settings)
        writer = DatabaseOrderWriter(runtime.get(OrderRepository), runtime.get(LocalBus))
        self._orders = OrderService(
            self._rules,
            understanding,
            runtime.get(FactRecorder),
            runtime.get(CallsAndMatters),
            runtime.get(OrderRepository),
            writer,
        )
        self._intake = IntakeService(self._rules, runtime.get(IntakeRepository), self._orders, writer)
        self._unsaved = UnsavedInputRepository(runtime.get(Database))
        self._statuses = runtime.get(OrderStatusRepository)
        self._audit = runtime.get(CommandRepository)
        runtime.provide(self._orders)

    async def _assistant(self, runtime: Runtime) -> LanguageModel | None:
        llm = runtime.settings.llm
        if llm.url is None:
            return None
        key = llm.read_secret() if llm.secret or llm.secret_file else ""
        return await runtime.enter(LanguageModel(str(llm.url), llm.model, key=key, timeout_s=llm.timeout_s))

    def consumers(self) -> Mapping[type[AnyFact], Consumer]:
        """An answered call begins a draft, every final utterance refills it; it leaves after wrap-up."""
        return {
            CallAnswered: self._orders.on_call_answered,
            UtteranceHeard: self._orders.on_utterance_heard,
            AgentChanged: self._orders.conclusion.on_agent_changed,
        }

    def jobs(self) -> Iterable[Job]:
        """Send drafts whose time has come."""
        return [Job("sending of orders", self._orders.conclusion.run)]

    def routes(self, access: Access) -> Iterable[APIRouter]:
        """`/orders` and `/intake`."""
        note = note_into(self._audit)
        return [
            orders.router(access, self._orders, self._unsaved, self._statuses, self._field_names, note),
            intake.router(access, self._intake, note),
        ]

    def _field_names(self, order: Order) -> Collection[str]:
        return {field.name for field in FORMS.get(self._rules.line(order.line).form, ())}


def order_rules(settings: Settings) -> OrderRules:
    """What the configuration says of orders."""
    return OrderRules(
        lines=tuple(
            LineRules(line.id, line.form, line.submit == "on_hangup", line.send_after_s)
            for line in settings.lines
        ),
        outcomes=settings.outcome_kinds,
        endpoints={endpoint.id: tuple(endpoint.lines) for endpoint in settings.workorders},
        links=document_links(settings),
        related_days=settings.reference.related_days,
        ask_every_s=settings.llm.every_s,
        ask_wait_s=settings.llm.finish_wait_s,
    )
