"""The gateway is away while calls go on, end and begin on a real Asterisk: each, and its order, once."""

import asyncio
from collections import Counter
from pathlib import Path

import pytest

from domain.calls import Call, CallSource, EndReason
from gateway.demo.receiver import DemoReceiver
from gateway.settings import Settings
from recordings.pcm import RATE
from tests.support.ami_client import PlainAmi
from tests.support.installation import SECRET, Installation, installed
from tests.support.machine import CALLS
from tests.support.pbx import ami
from tests.support.sip.phones import SipCaller
from tests.support.sip.rtp import alaw_of_wav
from tests.support.sip.softphone import Softphone

pytestmark = [pytest.mark.asterisk, pytest.mark.model]

TALKING, WAITING, INSIDE, GAVE_UP, LIVING = (f"1396287501{digit}" for digit in range(1, 6))
SAID = alaw_of_wav(CALLS / "d10-caller.wav")[int(7.5 * RATE) : 15 * RATE]
SAID_S = len(SAID) / RATE


class Scene:
    """Callers, one agent's phone that answers everybody, and what the PBX says."""

    def __init__(self, stage: Installation, events: PlainAmi) -> None:
        self.stage, self.events = stage, events

    def caller(self, number: str) -> SipCaller:
        return SipCaller(self.stage.directory, self.stage.asterisk.options.sip_port, "12345", number)

    async def until(self, event: str, count: int) -> None:
        async with asyncio.timeout(60):
            while len(self.events.messages(event)) < count:  # noqa: ASYNC110 - text is watched
                await asyncio.sleep(0.05)

    async def known(self, number: str, talking: bool) -> Call:
        async with asyncio.timeout(60):
            while True:
                for call in await self.stage.stored_calls():
                    if call.caller.number == number and call.queue and call.talking is talking:
                        return call
                await asyncio.sleep(0.1)

    async def press(self, caller: SipCaller, recorded: int) -> None:
        """Press the key of the line, once the greeting has begun."""
        await self.until("MixMonitorStart", recorded)
        await asyncio.sleep(2.0)
        caller.voice.press("0")

    async def say_and_hang_up(self, caller: SipCaller, connected: int) -> None:
        await self.until("AgentConnect", connected)
        caller.voice.say(SAID)
        await asyncio.sleep(SAID_S + 0.5)
        await caller.hang_up()
        await self.until("AgentComplete", connected)


@pytest.mark.timeout(400)
async def test_every_call_of_an_outage_once(
    example: Settings, model: Path, tmp_path: Path, database_url: str | None
) -> None:
    async with (
        DemoReceiver(SECRET) as receiver,
        installed(example, tmp_path, receiver.url, database=database_url) as stage,
        ami(stage.asterisk) as events,
        Softphone(stage.asterisk.options.sip_port, "1001", stage.asterisk.options.phone_passwords["1001"]),
    ):
        scene = Scene(stage, events)
        async with scene.caller(TALKING) as talking:
            await scene.press(talking, 1)
            await scene.known(TALKING, talking=True)
            async with scene.caller(WAITING) as waiting:
                await scene.press(waiting, 2)
                await scene.known(WAITING, talking=False)
                await stage.gateway.kill()
                await scene.say_and_hang_up(talking, 1)
                await scene.say_and_hang_up(waiting, 2)
        async with scene.caller(INSIDE) as inside:
            await scene.say_and_hang_up(inside, 3)
        async with scene.caller(LIVING) as living:
            await scene.until("AgentConnect", 4)
            async with scene.caller(GAVE_UP) as gave_up:
                await scene.until("QueueCallerJoin", 5)
                await asyncio.sleep(1.0)
                await gave_up.hang_up()
            living.voice.say(SAID)
            await stage.gateway.start()
            await delivered(receiver, {TALKING, WAITING, INSIDE})
            await asyncio.sleep(SAID_S)
            await living.hang_up()
        await delivered(receiver, {TALKING, WAITING, INSIDE, LIVING})
        # Again, and again: nothing is found twice.
        await stage.gateway.kill()
        await stage.gateway.start()
        await asyncio.sleep(12.0)
        check(await stage.stored_calls(), receiver)


async def delivered(receiver: DemoReceiver, numbers: set[str]) -> None:
    async with receiver.arrived, asyncio.timeout(120):
        await receiver.arrived.wait_for(
            lambda: {order["call"]["caller_number"] for order in receiver.orders} >= numbers
        )


def check(calls: list[Call], receiver: DemoReceiver) -> None:
    of = {call.caller.number: call for call in calls}
    assert len(of) == len(calls) == 5, [(call.id, call.caller.number, call.source) for call in calls]
    orders = {order["call"]["caller_number"]: order for order in receiver.orders}
    assert Counter(order["call"]["caller_number"] for order in receiver.orders) == Counter(
        (TALKING, WAITING, INSIDE, LIVING)
    )
    for number, source in (
        (TALKING, CallSource.PARTLY),
        (WAITING, CallSource.PARTLY),
        (INSIDE, CallSource.RECORDS),
        (LIVING, CallSource.WATCHED),
    ):
        call, order = of[number], orders[number]
        assert (call.source, call.end_reason, call.agent) == (source, EndReason.COMPLETED, "1001"), number
        (talk,) = call.conversations
        assert talk.ended_at is not None
        assert SAID_S - 2 < talk.ended_at - talk.started_at < 60, number
        assert (order["call"]["source"], order["call"]["agent"]) == (source.value, "1001")
        assert order["recordings"], number
        heard = [(one["side"], one["start"]) for one in order["transcript"]]
        assert heard, number
        assert len(set(heard)) == len(heard)
    missed = of[GAVE_UP]
    assert (missed.source, missed.end_reason) == (CallSource.RECORDS, EndReason.ABANDONED_QUEUE)
    assert missed.line == "12345"
    assert missed.recordings
