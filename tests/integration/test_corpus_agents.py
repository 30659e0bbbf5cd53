"""What agents do among themselves and by command: click to call, parking, rooms, listening."""

import asyncio

import pytest

from domain.calls import CallState
from tests.support.playing import CALLER, UNIT, Cast, corpus
from tests.support.scenario import Stage

pytestmark = [pytest.mark.asterisk, pytest.mark.asyncio(loop_scope="session")]
long = pytest.mark.long


async def originate(on: Cast, channel: str, exten: str) -> None:
    await on.action(
        Action="Originate", Channel=channel, Context="hotline-agents", Exten=exten, Priority="1", Async="true"
    )


@long
async def test_an_internal_call_nobody_answers(stage: Stage) -> None:
    async with corpus(stage, "internal-given-up") as on:
        first, second = await on.agent("1001"), await on.agent("1002", ring_s=None)
        call = await first.dial("1002")
        await second.incoming()
        await asyncio.sleep(1.0)
        await call.hang_up()


@long
async def test_an_internal_call_refused(stage: Stage) -> None:
    async with corpus(stage, "internal-declined") as on:
        first, _ = await on.agent("1001"), await on.agent("1002", refuse="603 Decline")
        await on.over(await first.dial("1002"))


@long
async def test_an_internal_call_to_who_is_not_there(stage: Stage) -> None:
    async with corpus(stage, "internal-unregistered") as on:
        first = await on.agent("1001")
        await on.over(await first.dial("1002"))


@long
async def test_an_internal_call_goes_to_the_next(stage: Stage) -> None:
    async with corpus(stage, "internal-next-phone") as on:
        first, _, _ = await on.agent("1001"), await on.agent("1002", ring_s=None), await on.agent("1003")
        call = await first.dial("615")
        await on.talks()
        await call.hang_up()


@long
async def test_an_internal_call_to_a_mailbox(stage: Stage) -> None:
    async with corpus(stage, "internal-voicemail") as on:
        first, _ = await on.agent("1001"), await on.agent("1002", ring_s=None)
        call = await first.dial("616")
        await on.stage.until(lambda: on.stage.call().incidents)
        await asyncio.sleep(0.5)
        await call.hang_up()


@long
async def test_an_internal_call_transferred(stage: Stage) -> None:
    async with corpus(stage, "internal-blind") as on:
        first, second, _ = await on.agent("1001"), await on.agent("1002"), await on.agent("1003")
        call = await first.dial("1002")
        await on.talks()
        await second.calls[-1].transfer("1003")
        await on.spoke(2)
        await call.hang_up()


@long
async def test_behind_two_local_channels(stage: Stage) -> None:
    async with corpus(stage, "internal-two-locals") as on:
        first, _ = await on.agent("1001"), await on.agent("1002")
        call = await first.dial("614")
        await on.talks()
        await call.hang_up()


@long
@pytest.mark.parametrize("busy", [True, False])
async def test_a_call_out_in_vain(stage: Stage, busy: bool) -> None:
    async with corpus(stage, "click-to-call-" + ("busy" if busy else "unanswered")) as on:
        await on.agent("1001")
        await on.unit(**({"refuse": "486 Busy Here"} if busy else {"ring_s": None}))
        await originate(on, "PJSIP/1001", "8" + UNIT)
        await on.stage.until(lambda: on.stage.ended)


@long
async def test_click_to_call_and_the_agent_does_not_answer(stage: Stage) -> None:
    async with corpus(stage, "click-to-call-own-phone-silent") as on:
        phone = await on.agent("1001", ring_s=None)
        await on.action(
            Action="Originate", Channel="PJSIP/1001", Context="hotline-agents", Exten="9" + UNIT,
            Priority="1", Async="true", Timeout="1500",
        )  # fmt: skip
        await phone.incoming()
        await on.stage.until(lambda: on.stage.ended)


@long
async def test_click_to_call_behind_two_locals(stage: Stage) -> None:
    async with corpus(stage, "click-to-call-local-in-local") as on:
        phone, unit = await on.agent("1002"), await on.unit()
        await originate(on, "Local/614@hotline-agents/n", "9" + UNIT)
        await phone.incoming()
        await unit.incoming()
        await on.talks()
        await unit.calls[-1].hang_up()


@long
async def test_a_call_out_nobody_answers(stage: Stage) -> None:
    async with corpus(stage, "outbound-given-up") as on:
        phone, unit = await on.agent("1001"), await on.unit(ring_s=None)
        call = await phone.dial("9" + UNIT)
        await unit.incoming()
        await asyncio.sleep(1.0)
        await call.hang_up()


@long
async def test_a_call_out_that_rings_out(stage: Stage) -> None:
    async with corpus(stage, "outbound-unanswered") as on:
        phone, _ = await on.agent("1001"), await on.unit(ring_s=None)
        await on.over(await phone.dial("8" + UNIT))


@long
@pytest.mark.parametrize("refusal", ["404 Not Found", "603 Decline", "503 Service Unavailable"])
async def test_a_call_out_refused(stage: Stage, refusal: str) -> None:
    async with corpus(stage, f"outbound-{refusal[:3]}") as on:
        phone, _ = await on.agent("1001"), await on.unit(refuse=refusal)
        await on.over(await phone.dial("9" + UNIT))


@long
async def test_a_call_out_handed_on(stage: Stage) -> None:
    async with corpus(stage, "outbound-blind") as on:
        phone, unit, _ = await on.agent("1001"), await on.unit(), await on.agent("1002")
        call = await phone.dial("9" + UNIT)
        await on.talks()
        await call.transfer("1002")
        await on.spoke(2)
        await unit.calls[-1].hang_up()


@long
async def test_two_calls_of_one_agent(stage: Stage) -> None:
    """A caller on hold while the agent calls outside, and back."""
    async with corpus(stage, "consult-outside") as on:
        phone, _ = await on.agent("1001"), await on.unit()
        call = await on.connected()
        line, asked = await on.consults(phone, "9" + UNIT)
        await asked.hang_up()
        await line.hold(False)
        await on.state(CallState.TALKING)
        await asyncio.sleep(0.5)
        await call.hang_up()


@long
async def test_parked_by_command_and_retrieved_by_who_parked(stage: Stage) -> None:
    async with corpus(stage, "park-own-retrieve") as on:
        phone = await on.agent("1001")
        call = await on.connected()
        await phone.calls[-1].transfer("700")
        await on.state(CallState.PARKED)
        await asyncio.sleep(0.5)
        space = on.stage.call().transfers[-1].target
        await phone.dial(space)
        await on.spoke(2)
        await call.hang_up()


@long
async def test_a_room_of_three(stage: Stage) -> None:
    async with corpus(stage, "room-of-three") as on:
        first, second = await on.agent("1001"), await on.agent("1002")
        call = await (await on.caller()).dial("64029", CALLER)
        await asyncio.sleep(0.5)
        await first.dial("870")
        await on.talks(0.5)
        await second.dial("870")
        await on.stage.until(lambda: on.stage.call().conferences)
        await asyncio.sleep(0.6)
        await second.calls[-1].hang_up()
        await asyncio.sleep(0.5)
        await call.hang_up()
        await asyncio.sleep(0.3)
        await first.calls[-1].hang_up()


@long
async def test_an_agent_listened_to_across_a_transfer(stage: Stage) -> None:
    async with corpus(stage, "listen-across-transfer") as on:
        first, _, boss = await on.agent("1001"), await on.agent("1002"), await on.agent("1003")
        call = await on.connected()
        ear = await boss.dial("850")
        await on.stage.until(lambda: any(one.monitors for one in on.stage.tracker.calls.values()))
        await asyncio.sleep(0.4)
        await first.calls[-1].transfer("1002")
        await on.spoke(2)
        if not ear.ended.is_set():
            await ear.hang_up()
        await call.hang_up()


@long
async def test_a_menu_that_ends(stage: Stage) -> None:
    async with corpus(stage, "menu-ends") as on:
        await on.over(await (await on.caller()).dial("64031", CALLER))


@long
async def test_a_menu_given_up(stage: Stage) -> None:
    async with corpus(stage, "menu-given-up") as on:
        call = await (await on.caller()).dial("64031", CALLER)
        await asyncio.wait_for(call.answered.wait(), 5)
        await asyncio.sleep(0.4)
        await call.hang_up()


@long
async def test_refused_by_the_dialplan(stage: Stage) -> None:
    async with corpus(stage, "refused") as on:
        await on.over(await (await on.caller()).dial("64032", CALLER))


@long
@pytest.mark.parametrize(
    ("name", "habits"),
    [
        ("direct", {}),
        ("direct-declined", {"refuse": "603 Decline"}),
        ("direct-busy", {"refuse": "486 Busy Here"}),
    ],
)
async def test_straight_to_a_phone(stage: Stage, name: str, habits: dict[str, str]) -> None:
    async with corpus(stage, name) as on:
        await on.agent("1001", **habits)
        call = await (await on.caller()).dial("64027", CALLER)
        if habits:
            await on.over(call)
        else:
            await on.talks()
            await call.hang_up()


@long
async def test_straight_to_a_phone_given_up(stage: Stage) -> None:
    async with corpus(stage, "direct-given-up") as on:
        phone = await on.agent("1001", ring_s=None)
        call = await (await on.caller()).dial("64027", CALLER)
        await on.rings(phone)
        await call.hang_up()


@long
async def test_straight_to_a_phone_and_its_mailbox(stage: Stage) -> None:
    async with corpus(stage, "direct-voicemail") as on:
        await on.agent("1001", ring_s=None)
        call = await (await on.caller()).dial("64028", CALLER)
        await on.stage.until(lambda: on.stage.call().incidents)
        await asyncio.sleep(0.5)
        await call.hang_up()
