"""Commands of the desk and the wall."""

import asyncio
import time
from collections.abc import Iterable, Mapping

import structlog
from fastapi import APIRouter
from sqlalchemy.exc import SQLAlchemyError

from agents.accounts.identity import Identity
from agents.timers import AgentStateError
from domain.calls import Call, Direction
from domain.commands import CommandError
from domain.facts import RECOVERED, AnyFact, CallUpdated
from domain.numbers import national
from domain.queues import AgentStatus, Queue
from gateway.call_control.call_recovery import restore_hold_and_mute
from gateway.call_control.directory import LiveDirectory
from gateway.call_control.service import CommandService
from gateway.call_control.view import AgentConfig, Rules, View
from gateway.facts.consumers import Consumer
from gateway.module import Module
from gateway.runtime import Runtime
from gateway.settings import Settings
from gateway.storage.calls import CallRepository
from gateway.storage.command_log import CommandRepository
from gateway.supervision import Job
from gateway.telephony import Telephony
from gateway.web.access import Access, may_see
from gateway.web.routes import commands, directory
from workorders.directories.reference import Reference

log = structlog.get_logger(__name__)

CLEAN_UP_EVERY_S = 3600.0
DAY_S = 86_400.0


class CallControlModule(Module):
    """Plans commands, carries them out once, and audits them; knows whom a call can be passed to."""

    name = "call_control"
    needs = (Telephony, CallRepository, CommandRepository, Reference)

    async def open(self, runtime: Runtime) -> None:
        """Provide the `CommandService`."""
        self._telephony = runtime.get(Telephony)
        self._calls = runtime.get(CallRepository)
        self._log = runtime.get(CommandRepository)
        self._keep_days = runtime.settings.database.keep_commands_days
        self._rules = rules_of(runtime.settings, self._telephony.first)
        self._commands = CommandService(
            self._log,
            self._rules,
            self._view,
            self._telephony.links,
            self._wrap_up,
            self._caller_of,
        )
        self._telephony.follow_phone = self._commands.follow_phone
        self._directory = LiveDirectory(runtime.settings, runtime.get(Reference).units, self._view)
        runtime.provide(self._commands)

    def consumers(self) -> Mapping[type[AnyFact], Consumer]:
        """A phone that took its call back is held and muted as before."""
        return {CallUpdated: self._on_call_updated}

    async def _on_call_updated(self, fact: CallUpdated) -> None:
        if fact.what == RECOVERED:
            await restore_hold_and_mute(self._telephony.links[fact.call.pbx], fact.call)

    def jobs(self) -> Iterable[Job]:
        """Old ids of commands are forgotten."""
        return [Job("clean-up", self._forget)]

    async def _forget(self) -> None:
        while True:
            try:
                if forgotten := await self._log.forget(time.time() - self._keep_days * DAY_S):
                    log.info("old_commands_forgotten", commands=forgotten)
            except (SQLAlchemyError, OSError) as error:
                log.warning("old_commands_not_forgotten", error=str(error))
            await asyncio.sleep(CLEAN_UP_EVERY_S)

    def routes(self, access: Access) -> Iterable[APIRouter]:
        """`/commands` and `/directory`."""
        return [commands.router(access, self._commands), directory.router(access, self._directory)]

    def _view(self) -> View:
        """The state now, all PBXs together."""
        agents: dict[str, AgentStatus] = {}
        calls: dict[str, Call] = {}
        queues: dict[tuple[str, str], Queue] = {}
        versions: dict[str, str] = {}
        for state in self._telephony.states.values():
            versions[state.link.pbx] = state.version
            agents.update(state.queue_state.agents)
            calls.update((call.id, call) for call in state.live_calls)
            queues.update(((queue.pbx, queue.name), queue) for queue in state.queue_state.queues.values())
        return View(self._rules, agents, calls, queues, versions)

    def _wrap_up(self, pbx: str, agent: str, seconds: int | None) -> None:
        """End (`None`) or extend the agent's wrap-up."""
        timers = self._telephony.timers[pbx]
        try:
            if seconds is None:
                timers.finish_wrap_up(agent)
            else:
                timers.extend_wrap_up(agent, seconds)
        except AgentStateError as error:
            raise CommandError("not_possible", error.message.code, **error.message.params) from error

    async def _caller_of(self, who: Identity, call_id: str) -> str | None:
        """The number to call back for a call; `None`: there is none, or the call is not that person's."""
        call = self._telephony.live_call(call_id) or await self._calls.get_call(call_id)
        if call is None or not may_see(call, who):
            return None
        # Of a call of our own, whom it went to.
        ours = call.direction is not Direction.INBOUND
        return national(call.called if ours else call.caller.number)


def rules_of(settings: Settings, first: str) -> Rules:
    """What planning needs of the configuration; `first`: the PBX of agents who name none."""
    return Rules(
        agents={
            agent.id: AgentConfig(
                agent.id,
                agent.phone,
                agent.pbx or first,
                dict(agent.lines),
                agent.phones if agent.desk_phone else {},
            )
            for agent in settings.agents
        },
        lines=tuple(line.model() for line in settings.lines),
        dial=tuple(rule.model() for rule in settings.outbound.allow),
        outbound_context=settings.outbound.context,
        pause_reasons=tuple(settings.desk.pause_reasons),
        desk_login=settings.desk.login == "desk",
    )
