"""Faults that the corpus found, each by name: in the captures that show them."""

import pytest
from msgspec import structs

from domain.calls import Call, Direction, EndedBy, EndReason
from domain.facts import CallEnded, CallsMerged
from domain.pbx import events as e
from gateway.asterisk.queue_log import queue_log_line
from gateway.calls.channels import number_dialled
from gateway.calls.resync import resync
from gateway.calls.stays import by_caller, stays_of
from tests.support import damage
from tests.support.captures import events, tracker
from tests.support.scenes import played
from tests.support.told import log_of


def only(name: str) -> Call:
    (call,) = damage.whole(name).calls
    return call


@pytest.mark.parametrize("name", ["blind-outside-talks", "member-local-blind", "internal-blind"])
def test_who_transfers_a_caller_ends_nothing_however_short_the_rest(name: str) -> None:
    assert only(name).ended_by is EndedBy.CALLER


@pytest.mark.parametrize(
    "name", ["freepbx-direct-busy", "blind-outside-486", "outbound-404", "outbound-busy"]
)
def test_a_phone_that_is_refused_or_refuses_has_not_hung_up(name: str) -> None:
    assert only(name).ended_by is not EndedBy.AGENT


def test_an_agent_who_gives_up_a_call_outside_ended_it() -> None:
    assert only("outbound-given-up").ended_by is EndedBy.AGENT


def test_a_caller_whom_a_phone_declines_was_not_blocked_by_the_dialplan() -> None:
    assert only("direct-declined").incidents == ()
    assert [str(one.kind) for one in only("refused").incidents] == ["blocked"]


def test_originate_to_a_phone_that_nobody_answers_has_failed() -> None:
    call = only("click-to-call-own-phone-silent")
    assert (call.end_reason, call.ended_by) == (EndReason.FAILED, EndedBy.SYSTEM)


def test_a_phone_behind_a_local_member_that_is_bridged_last_has_one_conversation() -> None:
    assert [talk.agent for talk in only("freepbx-queue-blind").conversations] == ["1001", "1003"]


def test_a_caller_in_a_mailbox_no_longer_rings_the_group() -> None:
    assert only("freepbx-ring-group-voicemail").end_reason is EndReason.ABANDONED_IVR


@pytest.mark.parametrize(
    ("dial_string", "number"),
    [
        ("trunk/sip:051312345@127.0.0.2:5061", "051312345"),
        ("051312345@trunk", "051312345"),
        ("1001", ""),
        ("1001/sip:1001@127.0.0.1:5060", "1001"),
        ("1001@from-queue/n", "1001"),
        ("FMPR-1002@fmgrps/n", ""),
    ],
)
def test_a_number_outside_is_the_one_that_was_dialled(dial_string: str, number: str) -> None:
    assert number_dialled(dial_string) == number
    assert only("queue-timeout-outside").conversations[0].party == "051312345"


def test_a_linked_transfer_in_queue_log_has_its_talk_one_field_later() -> None:
    text = (
        "1795930921|1795930921.110|q12345|NONE|ENTERQUEUE||13962875016|1",
        "1795930921|1795930921.110|q12345|1001|CONNECT|0|1795930921.111|0",
        "1795930923|1795930921.110|q12345|1001|ATTENDEDTRANSFER|LINK|Local/a;1|Local/a;2|0|2|1",
    )
    lines = [line for one in text if (line := queue_log_line(one)) is not None]
    (stay,) = stays_of(lines, lambda name: name)
    assert (stay.talked, stay.transferred) == (2.0, True)


def test_what_the_log_says_before_somebody_enters_the_queue_is_no_stay() -> None:
    """app_queue logs the number that was dialled first: DID."""
    lines = [line for text in log_of("freepbx-menu") if (line := queue_log_line(text)) is not None]
    assert lines[0].event == "DID"
    (stay,) = stays_of(lines, str)
    assert (stay.agent, stay.waited, stay.talked) == ("Wang Fang", 1.0, 1.0)


def test_a_transfer_logged_for_the_consultation_ends_the_callers_conversation() -> None:
    lines = [line for text in log_of("blonde") if (line := queue_log_line(text)) is not None]
    assert len({line.uniqueid for line in lines}) == 2
    ((caller, own),) = by_caller(lines).items()
    (stay,) = stays_of(own, str)
    assert (caller, stay.agent, stay.transferred, stay.ended_at is not None) == (
        lines[0].uniqueid, "1001", True, True,
    )  # fmt: skip


def test_a_resync_does_not_forget_who_called_whom() -> None:
    """Of a phone that forwards: else the first phone's agent is told to talk too."""
    stream, seen = damage.stream_of("forward"), damage.snapshots("forward")
    rings = next(at for at, event in enumerate(stream) if isinstance(event, e.AgentConnect))
    for at in range(rings):
        on = tracker()
        facts = [*played(on, stream[:at]), *resync(on, seen[at], []), *played(on, stream[at:])]
        (call,) = [fact.call for fact in facts if isinstance(fact, CallEnded)]
        assert [talk.agent for talk in call.conversations] == ["1002"]


def test_a_resync_tells_a_consultation_whose_party_is_with_the_caller_merged() -> None:
    stream, seen = damage.stream_of("attended-outside"), damage.snapshots("attended-outside")
    swap = max(at for at, event in enumerate(stream) if isinstance(event, e.BridgeEnter))
    on = tracker()
    played(on, stream[:swap])
    facts = resync(on, seen[swap + 1], [])
    (merged,) = [fact for fact in facts if isinstance(fact, CallsMerged)]
    assert merged.call.id in on.calls
    assert [fact.call.end_reason for fact in facts if isinstance(fact, CallEnded)] == [EndReason.MERGED]


def test_a_wait_whose_end_is_being_told_is_not_counted_unseen_by_a_resync() -> None:
    stream, seen = damage.stream_of("abandoned-queue"), damage.snapshots("abandoned-queue")
    left = next(at for at, event in enumerate(stream) if isinstance(event, e.QueueCallerLeave)) + 1
    on = tracker()
    facts = [*played(on, stream[:left]), *resync(on, seen[left], []), *played(on, stream[left:])]
    assert damage.figures(damage.Outcome(facts, [])) == {"yiqilai": {"offered": 1, "given up": 1}}


def test_a_call_found_by_a_resync_began_with_its_oldest_channel() -> None:
    stream, seen = (
        damage.stream_of("click-to-call-two-locals"),
        damage.snapshots("click-to-call-two-locals"),
    )
    for at, snapshot in enumerate(seen[:-1]):
        for call in damage.cut_off(stream, at, snapshot).calls:
            assert call.started_at <= min(leg.created_at for leg in call.legs)


def test_who_calls_a_colleague_is_told_by_the_number_the_dialplan_gives() -> None:
    """FreePBX: the channel begins with the account's name, and the dialplan says the extension."""
    first, *rest = (one for one in events("internal") if isinstance(one, e.ChannelEvent))
    assert isinstance(first, e.NewChannel)
    renamed = e.NewCallerId(
        at=first.at, pbx=first.pbx, uniqueid=first.uniqueid, linkedid=first.linkedid, channel=first.channel,
        caller_number="1001", caller_name="Wang",
    )  # fmt: skip
    facts = played(tracker(), [structs.replace(first, caller_number="acc77001"), renamed, *rest])
    (call,) = [fact.call for fact in facts if isinstance(fact, CallEnded)]
    assert (call.caller.number, call.caller.name, call.direction) == ("1001", "Wang", Direction.INTERNAL)
