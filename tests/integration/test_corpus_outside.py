"""Callers who are sent outside: blind, asked before, forwarded by a phone; with each way it can end."""

import asyncio

import pytest

from domain.calls import CallState
from tests.support.playing import CALLER, UNIT, corpus
from tests.support.scenario import Stage

pytestmark = [pytest.mark.asterisk, pytest.mark.asyncio(loop_scope="session")]
long = pytest.mark.long


async def test_blind_answered_outside(stage: Stage) -> None:
    async with corpus(stage, "blind-outside-talks") as on:
        phone, unit = await on.agent("1001"), await on.unit(ring_s=0.5)
        call = await on.connected()
        await phone.calls[-1].transfer("9" + UNIT)
        await unit.incoming()
        await on.spoke(2)
        await call.hang_up()


@long
@pytest.mark.parametrize(
    "refusal", ["486 Busy Here", "603 Decline", "404 Not Found", "503 Service Unavailable"]
)
async def test_blind_refused_outside(stage: Stage, refusal: str) -> None:
    async with corpus(stage, f"blind-outside-{refusal[:3]}") as on:
        phone, _ = await on.agent("1001"), await on.unit(refuse=refusal)
        call = await on.connected()
        await phone.calls[-1].transfer("9" + UNIT)
        await on.over(call)


@long
async def test_blind_never_answered_outside(stage: Stage) -> None:
    async with corpus(stage, "blind-outside-unanswered") as on:
        phone, _ = await on.agent("1001"), await on.unit(ring_s=None)
        call = await on.connected()
        await phone.calls[-1].transfer("8" + UNIT)
        await on.over(call)


@long
async def test_blind_given_up_by_the_caller(stage: Stage) -> None:
    async with corpus(stage, "blind-outside-given-up") as on:
        phone, unit = await on.agent("1001"), await on.unit(ring_s=None)
        call = await on.connected()
        await phone.calls[-1].transfer("9" + UNIT)
        await unit.incoming()
        await asyncio.sleep(0.5)
        await call.hang_up()


async def test_attended_to_a_number_outside(stage: Stage) -> None:
    async with corpus(stage, "attended-outside") as on:
        phone, unit = await on.agent("1001"), await on.unit()
        await on.connected()
        line, asked = await on.consults(phone, "9" + UNIT)
        await line.transfer_to(asked)
        await on.spoke(2)
        await unit.calls[-1].hang_up()


@long
async def test_blonde_to_a_number_outside(stage: Stage) -> None:
    async with corpus(stage, "blonde-outside") as on:
        phone, _ = await on.agent("1001"), await on.unit(ring_s=1.5)
        call = await on.connected()
        line, asked = await on.consults(phone, "9" + UNIT, ends=False)
        await asyncio.wait_for(asked.ringing.wait(), 5)
        await asyncio.sleep(0.3)
        await line.transfer_to(asked)
        await on.spoke(2)
        await call.hang_up()


@long
async def test_blonde_that_nobody_answers(stage: Stage) -> None:
    async with corpus(stage, "blonde-outside-unanswered") as on:
        phone, _ = await on.agent("1001"), await on.unit(ring_s=None)
        call = await on.connected()
        line, asked = await on.consults(phone, "8" + UNIT, ends=False)
        await asyncio.wait_for(asked.ringing.wait(), 5)
        await line.transfer_to(asked)
        await on.over(call)


@long
async def test_a_consultation_outside_that_is_busy(stage: Stage) -> None:
    async with corpus(stage, "consult-outside-busy") as on:
        phone, _ = await on.agent("1001"), await on.unit(refuse="486 Busy Here")
        call = await on.connected()
        line, asked = await on.consults(phone, "9" + UNIT, ends=False)
        await on.over(asked)
        await line.hold(False)
        await on.state(CallState.TALKING)
        await asyncio.sleep(0.5)
        await call.hang_up()


@long
async def test_a_consultation_outside_by_command(stage: Stage) -> None:
    async with corpus(stage, "atxfer-outside") as on:
        phone, unit = await on.agent("1001"), await on.unit()
        call = await on.connected()
        await on.atxfer("9" + UNIT)
        await asyncio.wait_for((await unit.incoming()).answered.wait(), 8)
        await asyncio.sleep(1.0)
        await phone.calls[-1].hang_up()
        await on.spoke(2)
        await call.hang_up()


@long
@pytest.mark.parametrize("busy", [True, False])
async def test_forwarded_to_a_mobile(stage: Stage, busy: bool) -> None:
    async with corpus(stage, f"forward-outside{'-busy' if busy else ''}") as on:
        await on.agent("1001", forward="9" + UNIT)
        await on.unit(**({"refuse": "486 Busy Here"} if busy else {}))
        call = await (await on.caller()).dial("64027", CALLER)
        if busy:
            await on.over(call)
        else:
            await on.talks()
            await call.hang_up()


@long
async def test_redirected_outside_by_a_command(stage: Stage) -> None:
    async with corpus(stage, "redirect-outside") as on:
        await on.agent("1001")
        unit = await on.unit()
        call = await on.connected()
        await on.action(
            Action="Redirect", Channel=on.channel(), Context="hotline-agents", Exten="9" + UNIT, Priority="1"
        )
        await unit.incoming()
        await on.spoke(2)
        await call.hang_up()


@long
async def test_sent_on_and_on(stage: Stage) -> None:
    """From an agent to an agent, and by that one outside."""
    async with corpus(stage, "blind-then-outside") as on:
        first, second, unit = await on.agent("1001"), await on.agent("1002"), await on.unit()
        call = await on.connected()
        await first.calls[-1].transfer("1002")
        await on.spoke(2)
        await second.calls[-1].transfer("9" + UNIT)
        await unit.incoming()
        await on.spoke(3)
        await call.hang_up()


@long
async def test_sent_to_an_agent_who_declines(stage: Stage) -> None:
    async with corpus(stage, "blind-declined") as on:
        first, _ = await on.agent("1001"), await on.agent("1002", refuse="603 Decline")
        call = await on.connected()
        await first.calls[-1].transfer("1002")
        await on.over(call)


@long
async def test_sent_back_to_the_queue(stage: Stage) -> None:
    async with corpus(stage, "blind-back-to-queue") as on:
        first = await on.agent("1001")
        call = await on.connected()
        await first.calls[-1].transfer("12345")
        await on.spoke(2)
        await call.hang_up()


@long
async def test_sent_to_a_hung_up_extension(stage: Stage) -> None:
    async with corpus(stage, "blind-refused-by-dialplan") as on:
        first = await on.agent("1001")
        call = await on.connected()
        await first.calls[-1].transfer("8817")
        await on.over(call)


@long
async def test_redirected_into_a_queue(stage: Stage) -> None:
    async with corpus(stage, "redirect-into-queue") as on:
        await on.agent("1001")
        await on.agent("1002")
        call = await on.connected()
        await on.action(
            Action="Redirect", Channel=on.channel(), Context="hotline-agents", Exten="12346", Priority="1"
        )
        await on.spoke(2)
        await call.hang_up()
