"""The desks of one PBX's agents: what the queue_state wants done in the PBX is done, and its clock runs."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable

import structlog

from agents.queues.state import FollowPhone, QueueState
from domain.facts import AnyFact
from domain.queues import reserved_reason
from domain.refusals import Refusal
from gateway.asterisk.actions import queue_pause
from gateway.asterisk.errors import PbxError
from gateway.asterisk.link import PbxLink

log = structlog.get_logger(__name__)

LONGEST_SLEEP_S = 5.0


class AgentStateError(Refusal):
    """What was asked cannot be done."""


class AgentTimers:
    """Runs the queue state's timers and carries out its effects, in order.

    A pause that fails (link down, no answer) is not lost: the queue_state asks again when the PBX is back.
    """

    def __init__(
        self,
        queue_state: QueueState,
        link: PbxLink,
        tell: Callable[[Iterable[AnyFact]], None],
        follow: Callable[[str], Awaitable[None]],
    ) -> None:
        """`tell` journals and publishes facts; `follow(agent)` brings memberships to the phone chosen."""
        self.queue_state = queue_state
        self._link = link
        self._tell = tell
        self._follow = follow
        self._wake = asyncio.Event()
        self._asleep_until = 0.0

    def wake(self) -> None:
        """Something was folded: there may be effects to carry out, or another deadline."""
        due = self.queue_state.next_due
        if self.queue_state.effects or (due is not None and due < self._asleep_until):
            self._wake.set()

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            now = time.time()
            # Only while the picture is true: after a loss the PBX is asked first.
            if self._link.state.phase == "up":
                due = self.queue_state.next_due
                if due is not None and due <= now:
                    self._tell(self.queue_state.time_passed(now))
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

    async def _pause(self, agent: str, paused: bool, reason: str = "") -> None:
        phones = self.queue_state.interfaces(agent)
        if not phones:
            raise AgentStateError("not_logged_in", agent=agent)
        for phone in phones:
            await queue_pause(self._link, phone, paused, reason)

    # -- what people ask for ----------------------------------------------------------------------------
    async def pause(self, agent: str, reason: str) -> None:
        """Pause (置忙) in all queues, with one of the configured reasons.

        Raises:
            AgentStateError: not logged in, or a reason that is the gateway's own.
            PbxError: the PBX did not do it.
        """
        if reserved_reason(reason):
            raise AgentStateError("pause_reason_reserved", reason=reason)
        await self._pause(agent, True, reason)

    async def unpause(self, agent: str) -> None:
        """Available again (置闲); also ends wrap-up. Raises as `pause` does."""
        await self._pause(agent, False)

    def finish_wrap_up(self, agent: str) -> None:
        """Wrap-up is done. Raises AgentStateError where the agent is in none."""
        self._told(self.queue_state.finish_wrap_up(time.time(), agent), agent)

    def extend_wrap_up(self, agent: str, seconds: float) -> None:
        """Extend wrap-up, up to the line's `wrap_up_max_s`. Raises AgentStateError where there is none."""
        self._told(self.queue_state.extend_wrap_up(time.time(), agent, seconds), agent)

    def _told(self, facts: list[AnyFact] | None, agent: str) -> None:
        if facts is None:
            raise AgentStateError("not_in_wrap_up", agent=agent)
        self._tell(facts)
        self.wake()
