"""Call recovery on a new channel, from real AMI logs (tests/integration/test_call_recovery.py)."""

import pytest
from msgspec import structs

from domain.calls import Call, Leg, Party, Side
from domain.facts import AnyFact, CallAnswered, CallEnded, CallHeld, CallStarted, CallUpdated
from domain.pbx import events as e
from gateway.call_control.calling import SILENT, hold_and_mute
from tests.support.captures import events, tracker


def said(name: str, *, held_from: int = 0, muted: bool = False) -> list[AnyFact]:
    """Return all facts of a capture; `held_from`: insert a hold by command before the n-th recovery."""
    on, facts, swaps = tracker(), [], 0
    for event in events(name):
        if isinstance(event, e.BridgeEnter) and event.swaps:
            swaps += 1
            if swaps == held_from:
                old = on.channels.get(event.swaps)
                assert old is not None
                told = {"HOTLINE_HELD": "1"} | ({"HOTLINE_MUTED": "1"} if muted else {})
                for variable, value in told.items():
                    facts += on.apply(
                        e.VarSet(
                            pbx="main", at=event.at, channel=old.name, uniqueid=old.uniqueid,
                            linkedid=old.linkedid, variable=variable, value=value,
                        )
                    )  # fmt: skip
        facts += on.apply(event)
    return facts


def recovered(facts: list[AnyFact]) -> list[Call]:
    return [fact.call for fact in facts if isinstance(fact, CallUpdated) and fact.what == "recovered"]


@pytest.mark.parametrize("name", ["take-back", "take-back-outgoing"])
def test_one_call_one_talk(name: str) -> None:
    facts = said(name)
    assert sum(isinstance(fact, CallStarted) for fact in facts) == 1
    assert sum(isinstance(fact, CallAnswered) for fact in facts) == 1
    (call,) = [fact.call for fact in facts if isinstance(fact, CallEnded)]
    (talk,) = call.conversations
    mine = [leg for leg in call.legs if leg.agent == "1001"]
    assert talk.channel == mine[-1].channel
    assert {leg.side for leg in mine} == {Side.AGENT}
    for back, leg in zip(recovered(facts), mine[1:], strict=True):
        (now,) = back.conversations
        assert (now.channel, now.ended_at, back.state) == (leg.channel, None, "talking")
        assert [one.bridge for one in back.legs if one.uniqueid == leg.uniqueid] != [None]


@pytest.mark.parametrize("muted", [False, True])
def test_held_by_command_it_stays_held(muted: bool) -> None:
    facts = said("take-back", held_from=1, muted=muted)
    first, second = recovered(facts)
    for call in (first, second):
        (hold,) = call.holds
        leg = call.legs[-1]
        assert (hold.uniqueid, hold.ended_at, leg.held, leg.muted) == (leg.uniqueid, None, True, muted)
        assert call.state == "held"
        assert [one.held for one in call.legs[:-1]] == [False] * (len(call.legs) - 1)
    # It is over with the call, not with the old leg.
    assert [fact.held for fact in facts if isinstance(fact, CallHeld)] == [True, False]


def test_held_by_the_phone_itself_it_is_held_no_more() -> None:
    facts = said("take-back-phone-held")
    (call,) = recovered(facts)
    (hold,) = call.holds
    assert call.state == "talking"
    assert hold.ended_at is not None
    assert not any(leg.held for leg in call.legs)


def test_what_the_new_leg_is_told() -> None:
    leg = Leg(uniqueid="1.2", channel="PJSIP/1001-2", side=Side.AGENT, party=Party("1001"), created_at=0.0)

    def told(held: bool, muted: bool) -> list[tuple[str | list[str], str | list[str]]]:
        steps = hold_and_mute(structs.replace(leg, held=held, muted=muted))
        assert all(step.headers["Channel"] == "1.2" for step in steps)
        return [(step.headers["Variable"], step.headers["Value"]) for step in steps]

    silent = [("VOLUME(RX)", SILENT), ("VOLUME(TX)", SILENT)]
    assert told(False, False) == []
    assert told(False, True) == [silent[0], ("HOTLINE_MUTED", "1")]
    assert told(True, False) == [*silent, ("HOTLINE_HELD", "1")]
    assert told(True, True) == [*silent, ("HOTLINE_HELD", "1"), ("HOTLINE_MUTED", "1")]
