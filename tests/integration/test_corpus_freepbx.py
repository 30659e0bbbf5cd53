"""Calls through a dialplan of FreePBX's shape: subroutines, Local members by name, ring groups, follow-me."""

import asyncio

import pytest

from domain.calls import CallState
from domain.facts import AgentMissed
from tests.support.playing import CALLER, UNIT, corpus
from tests.support.scenario import Stage

pytestmark = [pytest.mark.asterisk, pytest.mark.asyncio(loop_scope="session")]
long = pytest.mark.long
DID = "0513861100"
RINGS = {"answers": 0.2, "busy": 0.2, "silent": None}


async def test_a_queue(stage: Stage) -> None:
    async with corpus(stage, "freepbx-queue") as on:
        await on.agent("1001", ring_s=0.5)
        call = await (await on.caller()).dial(DID + "50", CALLER)
        await on.talks(1.5)
        await call.hang_up()


@long
async def test_a_queue_whose_first_member_does_not_answer(stage: Stage) -> None:
    async with corpus(stage, "freepbx-queue-next") as on:
        await on.agent("1001", ring_s=None)
        second = await on.agent("1002", ring_s=None)
        await (await on.caller()).dial(DID + "50", CALLER)
        await stage.until(lambda: any(isinstance(one, AgentMissed) for one in stage.facts))
        second.ring_s = 0.3
        await stage.until(lambda: second.calls)
        if not second.calls[-1].answered.is_set() and not second.calls[-1].ended.is_set():
            await asyncio.sleep(0.3)
            await second.calls[-1].answer()
        await on.talks(1.5)
        await second.calls[-1].hang_up()


@long
async def test_all_members_ring(stage: Stage) -> None:
    async with corpus(stage, "freepbx-queue-ring-all") as on:
        await on.agent("1001", ring_s=None)
        await on.agent("1002", ring_s=0.8)
        call = await (await on.caller()).dial(DID + "51", CALLER)
        await on.talks(1.5)
        await call.hang_up()


@long
async def test_nobody_answers_and_the_mailbox_does(stage: Stage) -> None:
    async with corpus(stage, "freepbx-queue-voicemail") as on:
        await on.agent("1001", ring_s=None)
        call = await (await on.caller()).dial(DID + "51", CALLER)
        await stage.until(lambda: stage.call().incidents, 20)
        await asyncio.sleep(0.5)
        await call.hang_up()


@long
async def test_given_up_while_a_member_rings(stage: Stage) -> None:
    async with corpus(stage, "freepbx-queue-given-up") as on:
        phone = await on.agent("1001", ring_s=None)
        call = await (await on.caller()).dial(DID + "50", CALLER)
        await on.rings(phone)
        await call.hang_up()


@long
async def test_a_member_transfers(stage: Stage) -> None:
    async with corpus(stage, "freepbx-queue-blind") as on:
        first, _ = await on.agent("1001"), await on.agent("1003")
        call = await (await on.caller()).dial(DID + "50", CALLER)
        await on.talks(1.2)
        await first.calls[-1].transfer("1003")
        await on.spoke(2)
        await call.hang_up()


@long
async def test_a_member_asks_a_colleague_first(stage: Stage) -> None:
    async with corpus(stage, "freepbx-queue-attended") as on:
        first, _ = await on.agent("1001"), await on.agent("1003")
        call = await (await on.caller()).dial(DID + "50", CALLER)
        await on.talks(1.2)
        line, asked = await on.consults(first, "1003")
        await line.transfer_to(asked)
        await on.spoke(2)
        await call.hang_up()


async def test_a_ring_group(stage: Stage) -> None:
    async with corpus(stage, "freepbx-ring-group") as on:
        await on.agent("1001", ring_s=None)
        await on.agent("1002", ring_s=0.6)
        call = await (await on.caller()).dial(DID + "60", CALLER)
        await on.talks()
        await call.hang_up()


@long
async def test_a_ring_group_nobody_answers(stage: Stage) -> None:
    async with corpus(stage, "freepbx-ring-group-voicemail") as on:
        await on.agent("1001", ring_s=None)
        await on.agent("1002", refuse="486 Busy Here")
        call = await (await on.caller()).dial(DID + "60", CALLER)
        await stage.until(lambda: stage.call().incidents, 20)
        await asyncio.sleep(0.5)
        await call.hang_up()


@long
@pytest.mark.parametrize("there", [True, False])
async def test_follow_me(stage: Stage, there: bool) -> None:
    async with corpus(stage, "freepbx-follow-me" + ("" if there else "-mobile")) as on:
        await on.agent("1002", ring_s=0.5 if there else None)
        await on.unit(ring_s=0.8)
        call = await (await on.caller()).dial(DID + "02", CALLER)
        await on.talks()
        await call.hang_up()


@long
@pytest.mark.parametrize("habit", ["answers", "busy", "silent"])
async def test_a_direct_number(stage: Stage, habit: str) -> None:
    async with corpus(stage, f"freepbx-direct-{habit}") as on:
        await on.agent("1001", refuse="486 Busy Here" if habit == "busy" else "", ring_s=RINGS[habit])
        call = await (await on.caller()).dial(DID + "01", CALLER)
        if habit == "answers":
            await on.talks()
        else:
            await stage.until(lambda: stage.call().incidents, 20)
            await asyncio.sleep(0.5)
        await call.hang_up()


@long
async def test_a_blocked_caller(stage: Stage) -> None:
    async with corpus(stage, "freepbx-blacklisted") as on:
        call = await (await on.caller()).dial(DID + "50", "13900000009")
        await on.over(call)


@long
async def test_a_menu_key_into_the_queue(stage: Stage) -> None:
    async with corpus(stage, "freepbx-menu") as on:
        await on.agent("1001")
        call = await (await on.caller()).dial(DID + "09", CALLER)
        await asyncio.wait_for(call.answered.wait(), 5)
        await asyncio.sleep(0.3)
        await on.press(on.channel(), "1")
        await on.talks(1.5)
        await call.hang_up()


@long
async def test_a_call_out(stage: Stage) -> None:
    async with corpus(stage, "freepbx-outbound") as on:
        phone, unit = await on.agent("1001"), await on.unit()
        call = await phone.dial("7" + UNIT)
        await unit.incoming()
        await on.talks()
        await call.hang_up()


@long
async def test_an_extension_to_another(stage: Stage) -> None:
    async with corpus(stage, "freepbx-internal") as on:
        first, _ = await on.agent("1001"), await on.agent("1002")
        call = await first.dial("*1002")
        await on.talks()
        assert stage.call().state is CallState.TALKING
        await call.hang_up()


@long
async def test_a_member_rung_by_a_macro(stage: Stage) -> None:
    if "Macro" not in await stage.asterisk.cli("core show applications like Macro"):
        pytest.skip("this Asterisk has no app_macro")
    async with corpus(stage, "freepbx-macro") as on:
        phone = await on.agent("1001", ring_s=0.5)
        await (await on.caller()).dial(DID + "70", CALLER)
        await on.talks(1.5)
        await phone.calls[-1].hang_up()
