"""Timers of the agents of one PBX: wrap-up ends, and pauses that follow from it are set in the PBX."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Protocol

import structlog

from agents.queues.state import FollowPhone, QueueState
from domain.facts import AnyFact
from domain.pbx.errors import PbxError
from domain.refusals import Refusal

log = structlog.get_logger(__name__)

LONGEST_SLEEP_S = 5.0


class MemberPauses(Protocol):
    """Port: pauses of queue members on one PBX."""

    @property
    def connected(self) -> bool:
        """Whether the state of the PBX is known. After a loss it is read again first."""
        ...

    async def pause(self, interface: str, paused: bool, reason: str = "") -> None:
        """Pause or unpause the member in all its queues.

        Raises:
            PbxError: the PBX did not do it.
        """
        ...


class AgentStateError(Refusal):
    """The agent is in no state for what was asked."""


class AgentTimers:
    """Runs the timers of a `QueueState` and carries out its effects, in order.

    A pause that fails (link down, no answer) is not lost: the queue state asks again when the PBX is back.
    """

    def __init__(
        self,
        queue_state: QueueState,
        members: MemberPauses,
        record: Callable[..., None],
        follow: Callable[[str], Awaitable[None]],
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`record` is `Recorder.record`; `follow(agent)` moves memberships to the phone the agent chose.

        `clock` is the one that PBX events are dated by.
        """
        self.queue_state = queue_state
        self._members = members
        self._record = record
        self._follow = follow
        self._clock = clock
        self._wake = asyncio.Event()
        self._asleep_until = 0.0

    def wake(self) -> None:
        """Look again: an event was folded, so there may be effects or an earlier deadline."""
        due = self.queue_state.next_due
        if self.queue_state.effects or (due is not None and due < self._asleep_until):
            self._wake.set()

    async def run(self) -> None:
        """Run until cancelled."""
        while True:
            now = self._clock()
            if self._members.connected:
                due = self.queue_state.next_due
                if due is not None and due <= now:
                    self._record(*self.queue_state.time_passed(now))
                await self._carry_out()
            due = self.queue_state.next_due
            rest = LONGEST_SLEEP_S if due is None else min(LONGEST_SLEEP_S, max(0.05, due - now))
            self._asleep_until = now + rest
            try:
                async with asyncio.timeout(rest):
                    await self._wake.wait()
            except TimeoutError:
                pass
            self._wake.clear()

    async def _carry_out(self) -> None:
        while self.queue_state.effects:
            effect = self.queue_state.effects.pop(0)
            if isinstance(effect, FollowPhone):
                await self._follow(effect.agent)
                continue
            try:
                await self._pause(effect.agent, effect.paused, effect.reason)
            except (PbxError, AgentStateError) as error:
                log.warning("agent_pause_failed", agent=effect.agent, paused=effect.paused, error=str(error))

    async def _pause(self, agent: str, paused: bool, reason: str) -> None:
        phones = self.queue_state.interfaces(agent)
        if not phones:
            raise AgentStateError("not_logged_in", agent=agent)
        for phone in phones:
            await self._members.pause(phone, paused, reason)

    def finish_wrap_up(self, agent: str) -> None:
        """End wrap-up (话后处理).

        Raises:
            AgentStateError: the agent is not in wrap-up.
        """
        self._recorded(self.queue_state.finish_wrap_up(self._clock(), agent), agent)

    def extend_wrap_up(self, agent: str, seconds: float) -> None:
        """Extend wrap-up, up to the line's `wrap_up_max_s`. Raises as `finish_wrap_up` does."""
        self._recorded(self.queue_state.extend_wrap_up(self._clock(), agent, seconds), agent)

    def _recorded(self, facts: list[AnyFact] | None, agent: str) -> None:
        if facts is None:
            raise AgentStateError("not_in_wrap_up", agent=agent)
        self._record(*facts)
        self.wake()
