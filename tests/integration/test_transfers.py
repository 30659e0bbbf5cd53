"""Transfers on the real Asterisk: every transfer_type, every order of the three parties."""

import asyncio

import pytest

from domain.calls import Call, CallState, Direction, EndReason, TransferType
from tests.support.scenario import Stage

pytestmark = [pytest.mark.asterisk, pytest.mark.asyncio(loop_scope="session")]

CALLER = "13962875016"


def ends(stage: Stage) -> tuple[Call, list[Call]]:
    """(the call of the public, the calls that became part of it)."""
    merged = [call for call in stage.ended if call.end_reason is EndReason.MERGED]
    (call,) = [call for call in stage.ended if call.end_reason is not EndReason.MERGED]
    assert {one.merged_into for one in merged} <= {call.id}
    return call, merged


def steps(call: Call) -> list[tuple[TransferType, str, str, str]]:
    return [(one.transfer_type, one.origin, one.target, one.result) for one in call.transfers]


async def test_blind_to_an_agent(stage: Stage) -> None:
    async with stage.agent("1001") as first, stage.agent("1002") as second, stage.outside() as caller:
        async with stage.scene("blind"):
            call = await caller.dial("12345", CALLER)
            began = await stage.talking("1001")
            await (await first.incoming()).transfer("1002")
            await second.incoming()
            assert (await stage.talking("1002")).id == began.id
            await stage.same_picture()
            await call.hang_up()
    call_, merged = ends(stage)
    assert steps(call_) == [(TransferType.BLIND, "1001", "1002", "success")]
    assert [talk.agent for talk in call_.conversations] == ["1001", "1002"]
    assert (call_.end_reason, call_.caller.number, merged) == (EndReason.COMPLETED, CALLER, [])


async def test_blind_to_a_number_nobody_has(stage: Stage) -> None:
    async with stage.agent("1001") as agent, stage.outside() as caller:
        async with stage.scene("blind-nowhere"):
            await caller.dial("12345", CALLER)
            await stage.talking("1001")
            await (await agent.incoming()).transfer("0000")
            await asyncio.sleep(0.3)
            await (await agent.incoming()).hang_up()
    call, _ = ends(stage)
    # The PBX refuses the phone and tells nobody else: nothing happened to the call.
    assert steps(call) == []
    assert [talk.agent for talk in call.conversations] == ["1001"]


async def test_blind_to_another_lines_queue(stage: Stage) -> None:
    async with stage.agent("1001") as first, stage.agent("1002") as second, stage.outside() as caller:
        async with stage.scene("queue-to-queue"):
            await caller.dial("12345", CALLER)
            began = await stage.talking("1001")
            await (await first.incoming()).transfer("12346")
            call = await stage.talking("1002")
            assert (call.id, call.queue, call.line) == (began.id, "yiqilai", "yiqilai")
            await (await second.incoming()).hang_up()
    call, _ = ends(stage)
    assert steps(call) == [(TransferType.BLIND, "1001", "12346", "success")]
    assert call.end_reason is EndReason.COMPLETED
    assert (call.conversations[0].agent, call.conversations[1].agent) == ("1001", "1002")


@pytest.mark.parametrize("transfer_type", [TransferType.ATTENDED, TransferType.BLONDE])
async def test_attended_and_blonde(stage: Stage, transfer_type: TransferType) -> None:
    blonde = transfer_type is TransferType.BLONDE
    async with (
        stage.agent("1001") as first,
        stage.agent("1002", ring_s=1.0 if blonde else 0.2) as second,
        stage.outside() as caller,
    ):
        async with stage.scene(str(transfer_type)):
            call = await caller.dial("12345", CALLER)
            began = await stage.talking("1001")
            line = await first.incoming()
            await line.hold()
            await stage.until(lambda: stage.call().state is CallState.HELD)
            consult = await first.dial("1002")
            if blonde:
                await asyncio.wait_for(consult.ringing.wait(), 5)
            else:
                await asyncio.wait_for(consult.answered.wait(), 5)
                asked = await stage.until(
                    lambda: next((one for one in stage.tracker.calls.values() if one.consults), None)
                )
                assert (asked.consults, asked.direction) == (began.id, Direction.INTERNAL)
                await stage.until(lambda: stage.tracker.calls[asked.id].talking)
                await stage.same_picture()
            await line.transfer_to(consult)
            await stage.until(
                lambda: (
                    [(one.id, one.agent, one.state) for one in stage.tracker.calls.values()]
                    == [(began.id, "1002", CallState.TALKING)]
                )
            )
            await second.incoming()
            await stage.until(lambda: len(stage.tracker.channels) == 2)
            await stage.same_picture()
            await call.hang_up()
    ended, (consultation,) = ends(stage)
    assert steps(ended) == [(transfer_type, "1001", "1002", "success")]
    assert [talk.agent for talk in ended.conversations] == ["1001", "1002"]
    assert [hold.agent for hold in ended.holds] == ["1001"]
    assert consultation.merged_into == ended.id
    assert ended.end_reason is EndReason.COMPLETED


@pytest.mark.parametrize("outgoing", [False, True])
async def test_attended_at_the_very_answer(stage: Stage, outgoing: bool) -> None:
    """Whether Asterisk has joined the two yet is a matter of milliseconds; the story is the same."""
    async with stage.agent("1001") as first, stage.agent("1002"), stage.outside() as public:
        await stage.dialable(public)
        for _ in range(4):
            async with stage.scene():
                if outgoing:
                    line = await first.dial("9051312345")
                    began = await stage.talking("1001")
                    call = public.calls[-1]
                else:
                    call = await public.dial("12345", CALLER)
                    began = await stage.talking("1001")
                    line = first.calls[-1]
                await line.hold()
                consult = await first.dial("1002")
                await asyncio.wait_for(consult.answered.wait(), 5)
                await line.transfer_to(consult)
                await stage.until(lambda: stage.call().agent == "1002")
                await stage.until(lambda: len(stage.tracker.channels) == 2)
                assert set(stage.tracker.calls) == {began.id}
                if not outgoing:
                    # Who knows nothing takes a trunk that has the agent's place in Dial for a caller.
                    await stage.same_picture()
                await call.hang_up()
            ended, _ = ends(stage)
            assert steps(ended) == [(TransferType.ATTENDED, "1001", "1002", "success")]
            assert [talk.agent for talk in ended.conversations] == ["1001", "1002"]


async def test_attended_when_the_colleague_was_called_first(stage: Stage) -> None:
    """The colleague's call is the older one: its Linkedid takes over. The caller's call goes on."""
    async with stage.agent("1001") as first, stage.agent("1002") as second, stage.outside() as caller:
        async with stage.scene("attended-colleague-first"):
            colleague = await first.dial("1002")
            await asyncio.wait_for(colleague.answered.wait(), 5)
            await colleague.hold()
            await stage.until(lambda: any(call.holds for call in stage.tracker.calls.values()))
            call = await caller.dial("12346", CALLER)
            # The line's own agent is busy: the call is sent to 1001 by hand, as a colleague would.
            await stage.until(lambda: stage.call().state is CallState.QUEUED)
            channel = next(leg.channel for leg in stage.call().legs)
            await stage.ami.send(
                Action="Redirect", Channel=channel, Context="hotline-agents", Exten="1001", Priority="1"
            )
            line = await first.incoming(2)
            await asyncio.wait_for(line.answered.wait(), 5)
            began = await stage.until(lambda: stage.call() if stage.call().talking else None)
            await line.transfer_to(colleague)
            await stage.until(lambda: stage.tracker.calls[began.id].agent == "1002")
            await stage.until(lambda: len(stage.tracker.channels) == 2)
            (only,) = stage.tracker.calls.values()
            assert (only.id, only.caller.number) == (began.id, CALLER)
            await stage.same_picture()
            await call.hang_up()
    ended, (older,) = ends(stage)
    assert older.started_at < ended.started_at
    assert steps(ended)[-1] == (TransferType.ATTENDED, "1001", "1002", "success")
    assert second.calls


async def test_attended_of_an_outgoing_call(stage: Stage) -> None:
    async with stage.agent("1001") as first, stage.agent("1002"), stage.outside() as unit:
        await stage.dialable(unit)
        async with stage.scene("attended-outgoing"):
            out = await first.dial("9051312345")
            await asyncio.wait_for(out.answered.wait(), 5)
            began = await stage.talking("1001")
            assert began.direction is Direction.OUTBOUND
            await out.hold()
            consult = await first.dial("1002")
            await asyncio.wait_for(consult.answered.wait(), 5)
            # They say a word first (at the very answer: see above).
            await asyncio.sleep(0.2)
            await out.transfer_to(consult)
            await stage.until(lambda: len(stage.tracker.channels) == 2)
            (only,) = stage.tracker.calls.values()
            await stage.until(lambda: stage.tracker.calls[began.id].agent == "1002")
            assert (only.id, only.direction) == (began.id, Direction.OUTBOUND)
            await stage.same_picture()
            await (await unit.incoming()).hang_up()
    ended, _ = ends(stage)
    assert steps(ended) == [(TransferType.ATTENDED, "1001", "1002", "success")]


async def test_a_consultation_that_comes_to_nothing(stage: Stage) -> None:
    async with stage.agent("1001") as first, stage.agent("1002") as second, stage.outside() as caller:
        async with stage.scene("consult-only"):
            await caller.dial("12345", CALLER)
            await stage.talking("1001")
            line = await first.incoming()
            await line.hold()
            consult = await first.dial("1002")
            await asyncio.wait_for(consult.answered.wait(), 5)
            await asyncio.sleep(0.2)
            await consult.hang_up()
            await line.hold(False)
            await stage.until(lambda: stage.call().state is CallState.TALKING)
            await line.hang_up()
        assert second.calls
    calls = {call.direction: call for call in stage.ended}
    inbound, internal = calls[Direction.INBOUND], calls[Direction.INTERNAL]
    assert (inbound.transfers, len(inbound.holds), inbound.end_reason) == ((), 1, EndReason.COMPLETED)
    assert inbound.holds[0].ended_at is not None
    assert (internal.consults, internal.end_reason) == (inbound.id, EndReason.COMPLETED)


async def test_redirected_by_the_gateway(stage: Stage) -> None:
    async with stage.agent("1001"), stage.agent("1002"), stage.outside() as caller:
        async with stage.scene("redirect"):
            call = await caller.dial("12345", CALLER)
            began = await stage.talking("1001")
            leg = began.caller_leg
            assert leg is not None
            await stage.ami.send(
                Action="Redirect", Channel=leg.channel, Context="hotline-agents", Exten="1002", Priority="1"
            )
            assert (await stage.talking("1002")).id == began.id
            await call.hang_up()
    ended, _ = ends(stage)
    assert steps(ended) == [(TransferType.BLIND, "1001", "1002", "success")]


async def test_taken_over_by_bridging(stage: Stage) -> None:
    async with stage.agent("1001"), stage.agent("1002") as second, stage.outside() as caller:
        await stage.dialable(caller)
        async with stage.scene("bridge"):
            call = await caller.dial("12345", CALLER)
            began = await stage.talking("1001")
            out = await second.dial("9051312345")
            await asyncio.wait_for(out.answered.wait(), 5)
            other = await stage.talking("1002")
            one, two = began.caller_leg, next(leg for leg in other.legs if leg.agent)
            assert one is not None
            await stage.ami.send(Action="Bridge", Channel1=one.channel, Channel2=two.channel)
            await stage.until(lambda: stage.tracker.calls[began.id].agent == "1002")
            await stage.until(lambda: len(stage.tracker.channels) == 2)
            assert set(stage.tracker.calls) == {began.id}
            await stage.same_picture()
            await call.hang_up()
    ended, (merged,) = ends(stage)
    assert merged.direction is Direction.OUTBOUND
    assert [talk.agent for talk in ended.conversations] == ["1001", "1002"]


@pytest.mark.parametrize("finish", ["hang-up", "three-way"])
async def test_attended_by_the_gateways_own_command(stage: Stage, finish: str) -> None:
    """AMI Atxfer: the agent's one channel goes to the colleague and back, within the caller's Linkedid."""
    async with stage.agent("1001") as first, stage.agent("1002") as second, stage.outside() as caller:
        async with stage.scene(f"atxfer-{finish}"):
            call = await caller.dial("12345", CALLER)
            began = await stage.talking("1001")
            channel = began.conversations[0].channel
            await stage.ami.send(Action="Atxfer", Channel=channel, Exten="1002", Context="hotline-agents")
            await asyncio.wait_for((await second.incoming()).answered.wait(), 5)
            await stage.until(lambda: stage.call().state is CallState.HELD)
            await asyncio.sleep(0.3)
            # The colleagues consult: the second one does not talk with the caller yet.
            assert [talk.agent for talk in stage.call().conversations] == ["1001"]
            assert stage.tracker.queue_state.agents["1002"].call_id == began.id
            if finish == "hang-up":
                await (await first.incoming()).hang_up()
            else:
                for digit in "*3":
                    await stage.ami.send(Action="PlayDTMF", Channel=channel, Digit=digit, Receive="true")
                    await asyncio.sleep(0.25)
            assert (await stage.talking("1002")).id == began.id
            await stage.until(lambda: len(stage.tracker.channels) == (2 if finish == "hang-up" else 3))
            await stage.same_picture()
            if finish == "three-way":
                assert stage.call().conferences[-1].ended_at is None
                await (await first.incoming()).hang_up()
            await call.hang_up()
    ended, merged = ends(stage)
    assert merged == []
    assert [talk.agent for talk in ended.conversations] == ["1001", "1002"]
    assert [hold.agent for hold in ended.holds] == ["1001"]
    if finish == "hang-up":
        assert steps(ended) == [(TransferType.ATTENDED, "1001", "1002", "success")]
        assert ended.conferences == ()
    else:
        assert steps(ended) == []
        assert [sorted(one.party for one in c.members) for c in ended.conferences] == [
            ["1001", "1002", CALLER]
        ]
