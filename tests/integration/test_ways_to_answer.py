"""Who answers a call, and which way it came there: pick-up, forwarding, groups, Local, parking, three."""

import asyncio

import pytest

from domain.calls import CallState, Direction, EndReason, TransferType
from domain.queues import AgentState
from tests.support.scenario import Stage

pytestmark = [pytest.mark.asterisk, pytest.mark.asyncio(loop_scope="session")]

CALLER = "13962875016"


async def test_a_colleague_picks_up(stage: Stage) -> None:
    async with (
        stage.agent("1001", ring_s=None) as rung,
        stage.agent("1002") as picker,
        stage.outside() as out,
    ):
        async with stage.scene("pickup"):
            call = await out.dial("12345", CALLER)
            await rung.incoming()
            began = await stage.until(
                lambda: stage.call() if stage.call().state is CallState.RINGING else None
            )
            await stage.same_picture()
            await picker.dial("800")
            await stage.until(lambda: stage.tracker.calls[began.id].talking)
            await stage.until(lambda: len(stage.tracker.channels) == 2)
            assert set(stage.tracker.calls) == {began.id}
            assert stage.tracker.queue_state.agents["1001"].call_id is None
            assert stage.tracker.queue_state.agents["1002"].call_id == began.id
            await stage.same_picture()
            await call.hang_up()
    ended = stage.ended[-1]
    # app_queue still holds it for its member's: it was not.
    assert [talk.agent for talk in ended.conversations] == ["1002"]
    assert [(one.transfer_type, one.origin, one.target) for one in ended.transfers] == [
        (TransferType.PICKUP, "1001", "1002")
    ]


async def test_a_phone_forwards(stage: Stage) -> None:
    async with stage.agent("1001", forward="1002"), stage.agent("1002") as second, stage.outside() as out:
        async with stage.scene("forward"):
            call = await out.dial("12345", CALLER)
            began = await stage.talking("1002")
            await second.incoming()
            await stage.until(lambda: len(stage.tracker.channels) == 2)
            await stage.same_picture()
            await call.hang_up()
    (ended,) = stage.ended
    assert ended.id == began.id
    assert [talk.agent for talk in ended.conversations] == ["1002"]
    assert [(one.transfer_type, one.origin, one.target) for one in ended.transfers] == [
        (TransferType.FORWARD, "1001", "1002")
    ]
    assert not any(leg.channel.startswith("Local/") for leg in ended.legs)


async def test_parked_and_taken_by_another(stage: Stage) -> None:
    async with stage.agent("1001") as first, stage.agent("1002") as second, stage.outside() as out:
        async with stage.scene("park"):
            call = await out.dial("12345", CALLER)
            began = await stage.talking("1001")
            await (await first.incoming()).transfer("700")
            await stage.until(lambda: stage.call().state is CallState.PARKED)
            await stage.until(lambda: len(stage.tracker.channels) == 1)
            await stage.same_picture()
            taking = await second.dial(stage.call().transfers[-1].target)
            await asyncio.wait_for(taking.answered.wait(), 5)
            assert (await stage.talking("1002")).id == began.id
            await stage.same_picture()
            await call.hang_up()
    ended = stage.ended[-1]
    space = ended.transfers[0].target
    assert [(one.transfer_type, one.origin, one.target) for one in ended.transfers] == [
        (TransferType.PARK, "1001", space),
        (TransferType.RETRIEVE, space, "1002"),
    ]
    assert [talk.agent for talk in ended.conversations] == ["1001", "1002"]


@pytest.mark.parametrize("answered", [True, False])
async def test_parked_and_nobody_takes_it(stage: Stage, answered: bool) -> None:
    """res_parking rings back the phone that parked it."""
    async with stage.agent("1001") as parker, stage.outside() as out:
        async with stage.scene("park-recall" if answered else "park-recall-unanswered"):
            call = await out.dial("12345", CALLER)
            began = await stage.talking("1001")
            await (await parker.incoming()).transfer("700")
            await stage.until(lambda: stage.call().state is CallState.PARKED)
            parker.ring_s = 0.5 if answered else None
            await stage.until(lambda: stage.call().state is CallState.RINGING)
            assert stage.tracker.queue_state.agents["1001"].state is AgentState.RINGING
            assert (stage.call().id, stage.call().agent) == (began.id, "1001")
            await stage.same_picture()
            if answered:
                assert (await stage.talking("1001")).id == began.id
                await stage.same_picture()
                await call.hang_up()
            else:
                await asyncio.wait_for(call.ended.wait(), 10)
    (ended,) = stage.ended
    space = ended.transfers[0].target
    assert [(one.transfer_type, one.origin, one.target) for one in ended.transfers] == [
        (TransferType.PARK, "1001", space),
        (TransferType.RECALL, space, "1001"),
    ]
    assert [talk.agent for talk in ended.conversations] == ["1001"] * (2 if answered else 1)
    assert ended.end_reason is (EndReason.COMPLETED if answered else EndReason.ABANDONED_PARKED)


@pytest.mark.parametrize(("number", "kind"), [("611", "optimised"), ("612", "not-optimised")])
async def test_local_channels_are_plumbing(stage: Stage, number: str, kind: str) -> None:
    async with stage.agent("1001") as first, stage.agent("1002") as second:
        async with stage.scene(f"local-{kind}"):
            call = await first.dial(number)
            await asyncio.wait_for(call.answered.wait(), 5)
            await second.incoming()
            began = await stage.talking("1002")
            await stage.until(lambda: (len(stage.tracker.channels) == 2) is (kind == "optimised"))
            assert began.direction is Direction.INTERNAL
            assert [leg.agent for leg in began.legs] == ["1001", "1002"]
            await stage.same_picture()
            await call.hang_up()
    (ended,) = stage.ended
    assert [leg.agent for leg in ended.legs] == ["1001", "1002"]
    assert [talk.agent for talk in ended.conversations] == ["1002"]


async def test_a_ring_group(stage: Stage) -> None:
    async with (
        stage.agent("1001") as first,
        stage.agent("1002", ring_s=None) as second,
        stage.agent("1003", ring_s=0.4),
    ):
        async with stage.scene("ring-group"):
            call = await first.dial("600")
            await second.incoming()
            ringing = await stage.until(lambda: stage.call() if stage.call().ringing_at else None)
            await asyncio.wait_for(call.answered.wait(), 5)
            talked = await stage.until(lambda: stage.call() if stage.call().talking else None)
            assert talked.id == ringing.id
            await stage.until(lambda: len(stage.tracker.channels) == 2)
            await stage.same_picture()
            await call.hang_up()
    (ended,) = stage.ended
    assert len(ended.conversations) == 1
    assert [(leg.agent, leg.answered_at is not None) for leg in ended.legs] == [
        ("1001", True),
        ("1002", False),
        ("1003", True),
    ]


async def test_three_speak_together(stage: Stage) -> None:
    async with stage.agent("1001"), stage.agent("1002") as second, stage.outside() as out:
        async with stage.scene("conference"):
            call = await out.dial("12345", CALLER)
            began = await stage.talking("1001")
            await stage.third_party_of(began.conversations[0].channel)
            third = await second.dial("860")
            await stage.until(lambda: stage.call().conferences)
            assert set(stage.tracker.calls) == {began.id}
            assert stage.tracker.queue_state.agents["1002"].state is AgentState.TALKING
            await stage.same_picture()
            await third.hang_up()
            await stage.until(lambda: stage.call().conferences[0].ended_at)
            assert stage.call().state is CallState.TALKING
            await call.hang_up()
    ended = stage.ended[-1]
    (conference,) = ended.conferences
    assert sorted(member.party for member in conference.members) == ["1001", "1002", CALLER]
    assert ended.end_reason is EndReason.COMPLETED


async def test_listening_in_is_no_part_of_the_call(stage: Stage) -> None:
    async with stage.agent("1001"), stage.agent("1003") as supervisor, stage.outside() as out:
        async with stage.scene("listen"):
            call = await out.dial("12345", CALLER)
            began = await stage.talking("1001")
            ear = await supervisor.dial("850")
            await stage.until(lambda: any(one.monitors for one in stage.tracker.calls.values()))
            (listening,) = [one for one in stage.tracker.calls.values() if one.monitors]
            assert (listening.monitors, listening.direction) == (began.id, Direction.INTERNAL)
            assert [leg.agent for leg in stage.call().legs] == [None, "1001"]
            await ear.hang_up()
            await call.hang_up()
    assert all(not one.conferences for one in stage.ended)


async def test_both_are_sent_elsewhere(stage: Stage) -> None:
    async with stage.agent("1001") as first, stage.agent("1002"), stage.outside() as out:
        async with stage.scene("both-redirected"):
            call = await out.dial("12345", CALLER)
            began = await stage.talking("1001")
            caller = began.caller_leg
            assert caller is not None
            await stage.ami.send(
                Action="Redirect",
                Channel=caller.channel,
                Context="hotline-agents",
                Exten="1002",
                Priority="1",
                ExtraChannel=began.conversations[0].channel,
                ExtraContext="hotline-listen",
                ExtraExten="idle",
                ExtraPriority="1",
            )
            assert (await stage.talking("1002")).id == began.id
            await stage.same_picture()
            assert {leg.agent for leg in stage.call().legs} == {None, "1001", "1002"}
            await (await first.incoming()).hang_up()
            await call.hang_up()
    (ended,) = stage.ended
    assert [talk.agent for talk in ended.conversations] == ["1001", "1002"]
    # The first talk was over when the caller spoke with the second agent, not when the first hung up.
    assert ended.conversations[0].ended_at == ended.conversations[1].started_at
