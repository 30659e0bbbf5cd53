"""Queues as call centres have them: how members are rung, what comes after a queue, who hangs up when."""

import asyncio

import pytest

from domain.calls import CallState
from domain.facts import AgentMissed
from tests.support.playing import CALLER, OTHER, Cast, corpus
from tests.support.scenario import Stage
from tests.support.sip.softphone import Dialog

pytestmark = [pytest.mark.asterisk, pytest.mark.asyncio(loop_scope="session")]
long = pytest.mark.long


async def missed(on: Cast, count: int = 1) -> None:
    await on.stage.until(lambda: sum(isinstance(one, AgentMissed) for one in on.stage.facts) >= count)


@long
@pytest.mark.parametrize("who", ["caller", "agent", "system"])
async def test_hung_up_by(stage: Stage, who: str) -> None:
    async with corpus(stage, f"hung-up-by-{who}") as on:
        phone = await on.agent("1001")
        call = await on.connected()
        if who == "caller":
            await call.hang_up()
        elif who == "agent":
            await phone.calls[-1].hang_up()
        else:
            await on.action(Action="Hangup", Channel=on.channel())


async def test_all_ring_and_one_answers(stage: Stage) -> None:
    async with corpus(stage, "ring-all") as on:
        for user, ring_s in (("1001", None), ("1002", 0.8), ("1003", None)):
            await on.agent(user, ring_s=ring_s)
        call = await (await on.caller()).dial("64015", CALLER)
        await on.talks(1.2)
        await call.hang_up()


@long
async def test_all_decline(stage: Stage) -> None:
    async with corpus(stage, "ring-all-declined") as on:
        for user in ("1001", "1002", "1003"):
            await on.agent(user, refuse="603 Decline")
        call = await (await on.caller()).dial("64033", CALLER)
        await on.over(call)


@long
async def test_one_is_busy_and_one_answers(stage: Stage) -> None:
    async with corpus(stage, "ring-all-one-busy") as on:
        await on.agent("1001", refuse="486 Busy Here")
        await on.agent("1002", ring_s=0.8)
        call = await (await on.caller()).dial("64015", CALLER)
        await on.talks(1.2)
        await call.hang_up()


@long
async def test_one_after_the_other(stage: Stage) -> None:
    async with corpus(stage, "ring-in-turn") as on:
        await on.agent("1001", ring_s=None)
        second = await on.agent("1002")
        call = await (await on.caller()).dial("64016", CALLER)
        await on.talks(1.2)
        await second.calls[-1].hang_up()
        await on.over(call)


@long
async def test_the_second_penalty_takes_it(stage: Stage) -> None:
    async with corpus(stage, "ring-by-penalty") as on:
        await on.agent("1002")
        call = await (await on.caller()).dial("64019", CALLER)
        await on.talks(1.2)
        await call.hang_up()


@pytest.mark.parametrize(("number", "kind"), [("64017", "optimised"), ("64018", "stays")])
async def test_a_local_member(stage: Stage, number: str, kind: str) -> None:
    async with corpus(stage, f"member-local-{kind}") as on:
        await on.agent("1001", ring_s=0.5)
        call = await (await on.caller()).dial(number, CALLER)
        await on.talks(1.5)
        await call.hang_up()


@long
async def test_a_local_member_who_hangs_up(stage: Stage) -> None:
    async with corpus(stage, "member-local-hangs-up") as on:
        phone = await on.agent("1001", ring_s=0.5)
        await (await on.caller()).dial("64018", CALLER)
        await on.talks(1.5)
        await phone.calls[-1].hang_up()


@long
async def test_a_local_member_does_not_answer_and_the_next_does(stage: Stage) -> None:
    async with corpus(stage, "member-local-unanswered") as on:
        first = await on.agent("1001", ring_s=None)
        call = await (await on.caller()).dial("64018", CALLER)
        await on.rings(first)
        await missed(on)
        first.ring_s = 0.1
        await on.talks(1.2)
        await call.hang_up()


@long
async def test_a_local_member_transfers(stage: Stage) -> None:
    async with corpus(stage, "member-local-blind") as on:
        first, _ = await on.agent("1001"), await on.agent("1003")
        call = await (await on.caller()).dial("64018", CALLER)
        await on.talks(1.2)
        await first.calls[-1].transfer("1003")
        await on.spoke(2)
        await call.hang_up()


# -- after a queue -----------------------------------------------------------------------------------------
async def test_into_a_second_queue(stage: Stage) -> None:
    async with corpus(stage, "queue-timeout-second-queue") as on:
        phone = await on.agent("1001", refuse="486 Busy Here")
        call = await (await on.caller()).dial("64011", CALLER)
        await on.stage.until(lambda: on.stage.call().queue == "q12345")
        phone.refuse = ""
        await on.talks(1.2)
        await call.hang_up()


@long
async def test_out_of_two_queues(stage: Stage) -> None:
    async with corpus(stage, "queue-timeout-twice") as on:
        call = await (await on.caller()).dial("64011", CALLER)
        await on.over(call, 20)


@long
async def test_given_up_in_the_second_queue(stage: Stage) -> None:
    async with corpus(stage, "queue-timeout-second-given-up") as on:
        call = await (await on.caller()).dial("64011", CALLER)
        await on.stage.until(lambda: on.stage.call().queue == "q12345")
        await asyncio.sleep(0.5)
        await call.hang_up()


@long
async def test_into_a_mailbox(stage: Stage) -> None:
    async with corpus(stage, "queue-timeout-voicemail") as on:
        call = await (await on.caller()).dial("64012", CALLER)
        await on.stage.until(lambda: on.stage.call().incidents)
        await asyncio.sleep(1.0)
        await call.hang_up()


@long
async def test_nobody_serves_and_a_phone_takes_it(stage: Stage) -> None:
    async with corpus(stage, "queue-joinempty-phone") as on:
        await on.agent("1001")
        call = await (await on.caller()).dial("64013", CALLER)
        await on.talks()
        await call.hang_up()


@long
async def test_a_full_queue_and_a_phone_takes_it(stage: Stage) -> None:
    async with corpus(stage, "queue-full-phone") as on:
        waiting = await (await on.caller()).dial("64026", OTHER)
        await on.state(CallState.QUEUED)
        await on.agent("1001")
        call = await (await on.caller()).dial("64026", CALLER)
        await on.stage.until(lambda: any(one.talking for one in on.stage.tracker.calls.values()))
        await asyncio.sleep(0.8)
        await call.hang_up()
        await asyncio.sleep(0.3)
        await waiting.hang_up()


@long
async def test_overflow_to_a_number_outside(stage: Stage) -> None:
    async with corpus(stage, "queue-timeout-outside") as on:
        await on.unit()
        call = await (await on.caller()).dial("64014", CALLER)
        await on.talks()
        await call.hang_up()


@long
async def test_a_key_into_another_queue(stage: Stage) -> None:
    async with corpus(stage, "queue-key-second-queue") as on:
        await on.agent("1001")
        call = await (await on.caller()).dial("64024", CALLER)
        await on.state(CallState.QUEUED)
        await asyncio.sleep(0.3)
        await on.press(on.channel(), "6")
        await on.talks(1.2)
        await call.hang_up()


@long
async def test_nobody_serves_any_more(stage: Stage) -> None:
    async with corpus(stage, "queue-leaveempty-second-queue") as on:
        await on.agent("1001")
        call = await (await on.caller()).dial("64025", CALLER)
        await on.talks(1.2)
        await call.hang_up()


@long
@pytest.mark.parametrize(
    ("number", "name"), [("64021", "survey-after-queue"), ("64022", "survey-after-phone")]
)
async def test_a_survey_after_the_agent_has_hung_up(stage: Stage, number: str, name: str) -> None:
    async with corpus(stage, name) as on:
        phone = await on.agent("1001")
        call = await (await on.caller()).dial(number, CALLER)
        await on.talks(1.2)
        await phone.calls[-1].hang_up()
        await on.over(call)


@long
async def test_a_hangup_handler(stage: Stage) -> None:
    async with corpus(stage, "hangup-handler") as on:
        await on.agent("1001")
        call = await (await on.caller()).dial("64023", CALLER)
        await on.talks(1.2)
        await call.hang_up()


# -- more than one call ------------------------------------------------------------------------------------
async def test_three_callers_and_two_agents(stage: Stage) -> None:
    async with corpus(stage, "three-at-once") as on:
        await on.agent("1001")
        await on.agent("1002")
        calls: list[Dialog] = []
        for number in ("12345", "12346", "12345"):
            calls.append(await (await on.caller()).dial(number, f"1396287501{len(calls)}"))
            await asyncio.sleep(0.7)
        await on.stage.until(lambda: sum(one.talking for one in on.stage.tracker.calls.values()) == 2)
        await asyncio.sleep(0.8)
        await calls[2].hang_up()
        await asyncio.sleep(0.3)
        await calls[1].hang_up()
        await calls[0].hang_up()


@long
async def test_who_calls_twice(stage: Stage) -> None:
    async with corpus(stage, "calls-twice") as on:
        phone = await on.agent("1001", ring_s=None)
        caller = await on.caller()
        first = await caller.dial("12345", CALLER)
        await on.rings(phone)
        await first.hang_up()
        await on.stage.until(lambda: not on.stage.tracker.calls)
        phone.ring_s = 0.2
        second = await caller.dial("12345", CALLER)
        await on.talks(1.2)
        await second.hang_up()


@long
async def test_one_caller_after_the_other(stage: Stage) -> None:
    """The second waits until the agent is free."""
    async with corpus(stage, "next-in-queue") as on:
        await on.agent("1001")
        first = await (await on.caller()).dial("12345", CALLER)
        await on.talks(0.5)
        second = await (await on.caller()).dial("12345", OTHER)
        await asyncio.sleep(1.2)
        await first.hang_up()
        await on.stage.until(lambda: on.stage.ended)
        await on.talks(1.2)
        await second.hang_up()


@long
async def test_paused_in_mid_call_and_removed(stage: Stage) -> None:
    async with corpus(stage, "paused-in-mid-call") as on:
        await on.agent("1001")
        call = await on.connected()
        who = {"Queue": "everyone", "Interface": "PJSIP/1001"}
        await on.action(Action="QueuePause", Paused="true", Reason="break", **who)
        await on.action(Action="QueueRemove", **who)
        await asyncio.sleep(0.4)
        await on.action(Action="QueueAdd", MemberName="1001", **who)
        await call.hang_up()


@long
async def test_withdrawn_by_the_agent_who_takes_it(stage: Stage) -> None:
    async with corpus(stage, "withdrawn-and-taken") as on:
        await on.agent("1003")
        call = await (await on.caller()).dial("12346", CALLER)
        await on.state(CallState.QUEUED)
        await asyncio.sleep(0.4)
        await on.action(
            Action="QueueWithdrawCaller", Queue="yiqilai", Caller=on.channel(), WithdrawInfo="1003"
        )
        await on.talks()
        await call.hang_up()


@long
async def test_held_twice(stage: Stage) -> None:
    async with corpus(stage, "hold-twice") as on:
        phone = await on.agent("1001")
        call = await on.connected()
        line = phone.calls[-1]
        for _ in range(2):
            await line.hold()
            await on.state(CallState.HELD)
            await asyncio.sleep(0.6)
            await line.hold(False)
            await on.state(CallState.TALKING)
            await asyncio.sleep(0.4)
        await call.hang_up()


@long
async def test_held_by_the_caller(stage: Stage) -> None:
    async with corpus(stage, "hold-by-caller") as on:
        await on.agent("1001")
        call = await on.connected()
        await call.hold()
        await asyncio.sleep(1.0)
        await call.hold(False)
        await asyncio.sleep(0.5)
        await call.hang_up()


@long
async def test_an_agent_transfers_into_a_queue_that_lets_go(stage: Stage) -> None:
    """By the second line of the phone, handed over while waiting; then the queue's time is over."""
    async with corpus(stage, "queue-handed-over-timeout") as on:
        phone = await on.agent("1001")
        call = await on.connected()
        line, asked = await on.consults(phone, "648", ends=False)
        await asyncio.wait_for(asked.answered.wait(), 8)
        await asyncio.sleep(0.5)
        phone.refuse = "486 Busy Here"
        await line.transfer_to(asked)
        await on.over(call, 20)
