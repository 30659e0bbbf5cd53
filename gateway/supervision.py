"""What a running gateway does beside its calls: deliveries, the clock, clean-up, watching itself."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import structlog
from sqlalchemy.exc import SQLAlchemyError

from agents.accounts.service import Identity
from asr.pool import EnginePool
from domain.calls import Call, Direction
from domain.facts import (
    RecogniserChanged,
)
from domain.numbers import national
from domain.recogniser import Recogniser
from gateway.call_control.service import CallerOf
from gateway.runtime import Runtime
from gateway.settings import Settings
from gateway.storage.command_log import CommandRepository
from gateway.storage.database import Database
from gateway.storage.orders import SqlOutbox
from gateway.stream.hub import Hub
from gateway.web.access import may_see
from gateway.web.services import Check
from workorders.delivery.outbox import Delivery
from workorders.delivery.worker import DeliveryWorker, Endpoint, Outcome
from workorders.service import Orders

log = structlog.get_logger(__name__)
LIVE_TICK_S = 1.0
CLEAN_UP_EVERY_S = 3600.0
DAY_S = 86_400.0


class Tasks:
    """Background tasks that must not end by themselves; one that does is reported loudly."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()

    def start(self, work: Any, name: str) -> None:
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("task_failed", task=task.get_name(), exc_info=error)

    async def stop(self) -> None:
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def start_delivery(settings: Settings, orders: Orders, outbox: SqlOutbox, tasks: Tasks) -> None:
    endpoints = [
        Endpoint(
            id=one.id,
            url=str(one.url),
            secret=one.read_secret(),
            timeout_s=one.timeout_s,
            max_attempts=one.max_attempts,
            first_retry_s=one.first_retry_s,
            max_retry_s=one.max_retry_s,
        )
        for one in settings.workorders
    ]

    async def on_outcome(delivery: Delivery, outcome: Outcome) -> None:
        if outcome.state == "delivered":
            await orders.on_delivered(delivery.order_id, outcome.external_id, time.time())
        elif outcome.state == "dead":
            await orders.on_dead(delivery.order_id, time.time())

    worker = DeliveryWorker(outbox, endpoints, on_outcome=on_outcome)

    async def wake() -> None:
        while True:
            await orders.submitted.wait()
            orders.submitted.clear()
            worker.wake()

    tasks.start(worker.run(), "delivery")
    tasks.start(wake(), "delivery wake-up")


async def tick(hub: Hub) -> None:
    while True:
        hub.tick(time.time())
        await asyncio.sleep(LIVE_TICK_S)


async def forget_commands(commands: CommandRepository, days: float) -> None:
    """Ids of commands older than that are forgotten, now and then."""
    while True:
        try:
            if forgotten := await commands.forget(time.time() - days * DAY_S):
                log.info("old_commands_forgotten", commands=forgotten)
        except (SQLAlchemyError, OSError) as error:
            log.warning("old_commands_not_forgotten", error=str(error))
        await asyncio.sleep(CLEAN_UP_EVERY_S)


async def watch_recogniser(pool: EnginePool, running: Runtime, hub: Hub) -> None:
    """Which calls go first, and how the recogniser keeps up: told when it changes."""
    told: Recogniser | None = None
    while True:
        desks = {client.audience.agent for client in hub.clients if client.audience.agent}
        pool.focus(
            call.id
            for picture in running.pbx_states.values()
            for call in picture.live_calls
            if call.agent in desks
        )
        state = pool.state()
        if state != told:
            told = state
            running.bus.publish(RecogniserChanged(at=time.time(), recogniser=state))
        await asyncio.sleep(LIVE_TICK_S)


def caller_of(running: Runtime) -> CallerOf:
    """Whom calling back a call means (`CommandService`)."""

    async def found(who: Identity, call_id: str) -> str | None:
        call = live_call(running, call_id) or await running.calls.get_call(call_id)
        if call is None or not may_see(call, who):
            return None
        # Of a call of our own, whom it went to.
        ours = call.direction is not Direction.INBOUND
        return national(call.called if ours else call.caller.number)

    return found


def live_call(running: Runtime, call_id: str) -> Call | None:
    found = (picture.live_call(call_id) for picture in running.pbx_states.values())
    return next((call for call in found if call is not None), None)


def readiness(running: Runtime, database: Database) -> list[Callable[[], Awaitable[Check]]]:
    async def the_database() -> Check:
        try:
            await database.require_newest()
        except Exception as error:
            return Check("database", False, str(error))
        return Check("database", True)

    async def the_recogniser() -> Check:
        if running.pool is None:
            return Check("asr", True, "switched off")
        ready = running.pool.ready
        return Check("asr", ready, "" if ready else "the speech model is still loading")

    def the_pbx(name: str) -> Callable[[], Awaitable[Check]]:
        async def check() -> Check:
            state = running.links[name].state
            return Check(f"pbx:{name}", state.phase == "up", state.reason or state.phase)

        return check

    return [the_database, the_recogniser, *(the_pbx(name) for name in running.links)]
