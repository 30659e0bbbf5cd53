"""Plays a scenario of the corpus on the real Asterisk: what is told must be what its table says."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, Self

from domain.calls import Call, CallState
from tests.support.scenario import Stage
from tests.support.sip.softphone import Dialog, Softphone
from tests.support.told import calls_told, figures_of, logged_figures, told_of, truth

CALLER, OTHER = "13962875016", "13962875017"
UNIT = "051312345"
"""A number outside, which 9 and 8 (for two seconds only) before it reach."""


class Cast:
    """The people of a scenario; phones are put down when it is over."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: Any) -> None:
        await self._stack.aclose()

    async def agent(self, user: str, **habits: Any) -> Softphone:
        return await self._stack.enter_async_context(self.stage.agent(user, **habits))

    async def caller(self) -> Softphone:
        return await self._stack.enter_async_context(self.stage.outside())

    async def unit(self, **habits: Any) -> Softphone:
        """Whoever 9051312345 reaches."""
        phone = await self._stack.enter_async_context(self.stage.outside(**habits))
        await self.stage.dialable(phone)
        return phone

    # -- what people do --------------------------------------------------------------------------------
    async def connected(self, agent: str = "1001", number: str = "12345", caller: str = CALLER) -> Dialog:
        """Somebody calls a line and talks with that agent."""
        call = await (await self.caller()).dial(number, caller)
        await self.stage.talking(agent)
        await asyncio.sleep(0.6)
        return call

    async def rings(self, phone: Softphone, count: int = 1) -> Dialog:
        """That phone rings, and the tracker knows it."""
        dialog = await phone.incoming(count)
        await self.state(CallState.RINGING)
        await asyncio.sleep(0.3)
        return dialog

    async def state(self, state: CallState) -> Call:
        call: Call = await self.stage.until(
            lambda: self.stage.call() if self.stage.call().state is state else None
        )
        return call

    async def talks(self, seconds: float = 0.8) -> None:
        """They have a word. Whole seconds need not be, and cost."""
        await self.stage.until(lambda: self.stage.call().talking)
        await asyncio.sleep(seconds)

    async def spoke(self, number: int, seconds: float = 0.8) -> None:
        """As many conversations have begun, and the last lasts a little."""
        await self.stage.until(lambda: len(self.stage.call().conversations) >= number)
        await asyncio.sleep(seconds)

    async def over(self, call: Dialog, timeout: float = 12.0) -> None:
        """The PBX hangs it up."""
        await asyncio.wait_for(call.ended.wait(), timeout)

    async def consults(self, phone: Softphone, number: str, *, ends: bool = True) -> tuple[Dialog, Dialog]:
        """The agent holds the caller and calls somebody else on a second line."""
        line = phone.calls[-1]
        await line.hold()
        await self.state(CallState.HELD)
        asked = await phone.dial(number)
        if ends:
            await asyncio.wait_for(asked.answered.wait(), 8)
            await asyncio.sleep(0.5)
        return line, asked

    async def action(self, **headers: str) -> None:
        await self.stage.ami.send(**headers)

    def channel(self, agent: str | None = None) -> str:
        """The channel of the caller, or of that agent, in the caller's call."""
        legs = [leg for leg in self.stage.call().legs if leg.agent == agent and leg.ended_at is None]
        return legs[-1].channel

    async def atxfer(self, number: str, agent: str = "1001") -> str:
        """The desk's consultation; the agent's channel."""
        channel = self.channel(agent)
        await self.action(Action="Atxfer", Channel=channel, Exten=number, Context="hotline-agents")
        return channel

    async def press(self, channel: str, digits: str) -> None:
        for digit in digits:
            await self.action(Action="PlayDTMF", Channel=channel, Digit=digit, Receive="true")
            await asyncio.sleep(0.25)


@asynccontextmanager
async def corpus(stage: Stage, name: str) -> AsyncIterator[Cast]:
    """A scenario of the table: played, kept where HOTLINE_CAPTURE is set, and held against the table."""
    async with Cast(stage) as cast:
        async with stage.scene(name):
            yield cast
        rows = truth().get(name) or truth()[f"{name}-16"]
        told = [told_of(call).timeless for call in calls_told(stage.facts)]
        assert told == [row.told.timeless for row in rows]
        figures = figures_of(stage.facts)
        log = logged_figures(stage.logged)
        # Of who was not let in the log says nothing; the table does.
        assert figures == log or counts(figures) == counts(rows[0].queues), (figures, log)
        assert stage.tracker.queue_state.entries.talking == {}
        assert stage.tracker.queue_state.entries.waiting == {}


def counts(figures: Any) -> Any:
    """Without the seconds, which differ each time."""
    return {queue: {k: v for k, v in one.items() if k != "talk"} for queue, one in figures.items()}
