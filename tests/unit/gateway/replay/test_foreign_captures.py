"""Captures as people have them: begun in mid-call, without time stamps, of an Asterisk before 12."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from typer.testing import CliRunner

from domain.calls import Call, EndReason
from domain.facts import AgentMissed, AgentRinging, AnyFact, CallAnswered, CallEnded, CallHeld, CallUpdated
from domain.phones import AgentProfile
from gateway.cli import app
from gateway.replay.capture import Counts
from gateway.replay.fold import ReplayError, facts_of
from gateway.replay.legacy import Legacy
from gateway.replay.timeline import BEFORE_CAPTURE
from tests.support.captures import AGENTS, FOLDER, LINES

OLD = FOLDER / "asterisk-11"
SIP = tuple(AgentProfile(one, one, f"SIP/{one}") for one in ("1001", "1002"))


def replayed(
    text: str, agents: Sequence[AgentProfile] = AGENTS, counts: Counts | None = None
) -> list[AnyFact]:
    return list(facts_of(text.splitlines(keepends=True), "main", LINES, agents, counts or Counts()))


def blocks(name: str) -> list[str]:
    return (FOLDER / f"{name}.txt").read_bytes().decode().split("\r\n\r\n")


def ended(facts: Sequence[AnyFact]) -> list[Call]:
    return [
        fact.call
        for fact in facts
        if isinstance(fact, CallEnded) and fact.call.end_reason is not EndReason.MERGED
    ]


def of_old(name: str) -> list[AnyFact]:
    return replayed((OLD / f"{name}.txt").read_bytes().decode(), SIP)


# -- begun in mid-call -------------------------------------------------------------------------------------
WHEREVER = (
    "abandoned-queue", "abandoned-ringing", "abandoned-held", "abandoned-parked", "requeue", "busy", "park",
    "conference", "phone-lost", "queue-to-queue", "outbound", "take-back", "abandoned-after-transfer",
)  # fmt: skip


@pytest.mark.parametrize("name", WHEREVER)
def test_wherever_a_capture_begins_it_tells_the_one_call_or_says_that_it_cannot(name: str) -> None:
    whole = blocks(name)
    (call,) = ended(replayed("\r\n\r\n".join(whole)))
    told = 0
    for cut in range(len(whole)):
        try:
            facts = replayed("\r\n\r\n".join(whole[cut:]))
        except ReplayError as error:
            assert "nothing to tell" in str(error) or "no event found" in str(error)
            continue
        (found,) = ended(facts)
        assert (found.id, found.direction, found.ended_at) == (call.id, call.direction, call.ended_at)
        told += 1
    assert told > len(whole) / 3


def test_who_talked_when_the_capture_began_is_told_to_talk() -> None:
    whole = blocks("abandoned-held")
    talking = next(index for index, block in enumerate(whole) if block.startswith("Event: Hold"))
    counts = Counts()
    facts = replayed("\r\n\r\n".join(whole[talking:]), counts=counts)
    (call,) = ended(facts)
    assert [talk.agent for talk in call.conversations] == ["1001"]
    assert (call.line, call.end_reason, counts.begun) == (
        "12345",
        EndReason.COMPLETED,
        1,
    ) or call.line is None
    assert next(fact.what for fact in facts if isinstance(fact, CallUpdated)) == BEFORE_CAPTURE
    # The unique id tells the second in which it began.
    assert call.started_at == float(call.linkedid.split(".")[0])


def test_who_waited_when_the_capture_began_is_told_to_wait_and_to_be_answered() -> None:
    whole = blocks("requeue")
    waits = next(index for index, block in enumerate(whole) if block.startswith("Event: QueueCallerJoin"))
    facts = replayed("\r\n\r\n".join(whole[waits + 1 :]))
    (call,) = ended(facts)
    assert (call.line, call.queue, call.end_reason) == ("12345", "q12345", EndReason.COMPLETED)
    assert [fact.agent for fact in facts if isinstance(fact, CallAnswered)] == ["1001"]


def test_a_channel_whose_beginning_was_lost_in_mid_capture_did_not_begin_before_it() -> None:
    later = [block for block in blocks("blind") if not block.startswith("Event: Newchannel")]
    lost = blocks("busy") + later
    counts = Counts()
    replayed("\r\n\r\n".join(lost), counts=counts)
    assert counts.begun == 0


@pytest.mark.parametrize(
    "text",
    [
        "Event: PeerStatus\r\nPeer: SIP/1001\r\nPeerStatus: Registered\r\n\r\n",
        "Event: DeviceStateChange\r\nDevice: PJSIP/1001\r\nState: INUSE\r\n\r\n",
        "Event: Cdr\r\nSource: 1001\r\nDestination: 1002\r\nDuration: 12\r\n\r\n",
        "Event: RTCPSent\r\nTo: 192.0.2.1:4000\r\n\r\n",
        "Response: Success\r\nMessage: Authentication accepted\r\n\r\n",
        "Event: Newexten\r\nChannel: \r\nUniqueid: \r\n\r\n",
    ],
)
def test_where_nothing_can_be_told_the_exit_code_is_two(text: str, tmp_path: Path) -> None:
    file = tmp_path / "log.txt"
    file.write_text(text, newline="")
    done = CliRunner().invoke(app, ["replay", str(file)])
    assert done.exit_code == 2
    assert "nothing to tell" in done.output or "no event found" in done.output


# -- without time stamps -----------------------------------------------------------------------------------
def unstamped(name: str) -> str:
    text = "\r\n\r\n".join(blocks(name))
    return "\r\n".join(line for line in text.split("\r\n") if not line.startswith("Timestamp: "))


def test_without_time_stamps_the_unique_ids_and_the_queues_seconds_tell() -> None:
    text = unstamped("requeue")
    counts = Counts()
    (call,) = ended(replayed(text, counts=counts))
    (true,) = ended(replayed("\r\n\r\n".join(blocks("requeue"))))
    assert counts.unstamped
    assert not counts.timeless
    assert abs(call.started_at - true.started_at) < 1.0
    assert call.ended_at is not None
    assert true.ended_at is not None
    assert 0 < call.ended_at - call.started_at <= true.ended_at - true.started_at + 1.0


def test_without_time_stamps_the_command_says_what_is_not_known(tmp_path: Path) -> None:
    file = tmp_path / "log.txt"
    file.write_text(unstamped("internal-busy-at-once"), newline="")
    done = CliRunner().invoke(app, ["replay", str(file)])
    assert done.exit_code == 0
    assert "1970" not in done.output
    assert "2026-01-0" in done.output
    assert "the log has no time stamps" in done.output
    assert "at least 0.0 s" in done.output


def test_where_not_even_the_unique_ids_tell_no_time_is_made_up(tmp_path: Path) -> None:
    text = unstamped("internal-busy-at-once").replace("1767591200.", "asterisk-1.")
    file = tmp_path / "log.txt"
    file.write_text(text, newline="")
    done = CliRunner().invoke(app, ["replay", str(file)])
    assert done.exit_code == 0
    assert "1970" not in done.output
    assert "time not known" in done.output
    assert "times and lengths are not known" in done.output


def test_the_answer_to_a_login_has_no_time_stamp_and_says_nothing_of_those_that_follow() -> None:
    login = "Response: Success\r\n\r\nEvent: FullyBooted\r\nUptime: 7\r\nLastReload: 7\r\n\r\n"
    counts = Counts()
    told = replayed(login + "\r\n\r\n".join(blocks("requeue")), counts=counts)
    assert told == replayed("\r\n\r\n".join(blocks("requeue")))
    assert (counts.stamped, counts.unstamped, counts.timeless) == (True, False, False)


# -- Asterisk before 12 ------------------------------------------------------------------------------------
def test_a_queue_call_of_asterisk_11() -> None:
    facts = of_old("queue")
    (call,) = ended(facts)
    assert (call.caller.number, call.called, call.line, call.queue) == (
        "13900000001", "12345", "12345", "q12345",
    )  # fmt: skip
    (talk,) = call.conversations
    assert (talk.agent, round((talk.ended_at or 0) - talk.started_at)) == ("1002", 40)
    assert call.end_reason is EndReason.COMPLETED
    assert [fact.agent for fact in facts if isinstance(fact, AgentRinging)] == ["1001", "1002"]
    (missed,) = [fact for fact in facts if isinstance(fact, AgentMissed)]
    assert (missed.agent, round(missed.rang)) == ("1001", 10)
    assert [fact.held for fact in facts if isinstance(fact, CallHeld)] == [True, False]
    assert round((call.ended_at or 0) - call.started_at) == 58


def test_a_member_paused_in_asterisk_11_is_paused() -> None:
    told = list(
        Legacy().translate(
            (None, headers)
            for headers in [
                {
                    "Event": "QueueMemberStatus",
                    "Queue": "q",
                    "Location": "SIP/1",
                    "Penalty": "2",
                    "Status": "1",
                },
                {
                    "Event": "QueueMemberPaused",
                    "Queue": "q",
                    "Location": "SIP/1",
                    "Paused": "1",
                    "Reason": "x",
                },
            ]
        )
    )
    assert told[1][1] == {
        "Event": "QueueMemberPause", "Queue": "q", "Interface": "SIP/1", "Penalty": "2", "Status": "1",
        "Paused": "1", "PausedReason": "x",
    }  # fmt: skip


def test_asterisk_11_without_time_stamps_has_the_queues_seconds() -> None:
    (call,) = ended(of_old("queue-no-timestamps"))
    (talk,) = call.conversations
    assert (talk.ended_at or 0) - talk.started_at == 40.0


def test_a_member_behind_a_local_channel_of_asterisk_11() -> None:
    facts = of_old("queue-local-member")
    (call,) = ended(facts)
    assert [fact.agent for fact in facts if isinstance(fact, AgentRinging)] == ["1001"]
    assert [(talk.agent, talk.channel) for talk in call.conversations] == [("1001", "SIP/1001-00000033")]
    assert call.end_reason is EndReason.COMPLETED
    assert all(not leg.channel.startswith("Local/") for leg in call.legs)


@pytest.mark.parametrize(
    ("name", "missed"),
    [("internal", []), ("internal-busy", [("busy", 0)]), ("internal-no-answer", [("no_answer", 20)])],
)
def test_an_internal_call_of_asterisk_11(name: str, missed: list[tuple[str, int]]) -> None:
    facts = of_old(name)
    (call,) = ended(facts)
    assert (call.direction, call.caller.number, call.called) == ("internal", "1001", "1002")
    assert [(str(one.reason), round(one.rang)) for one in facts if isinstance(one, AgentMissed)] == missed
    assert [talk.agent for talk in call.conversations] == ([] if missed else ["1002"])


def test_asterisk_1_4_too() -> None:
    (call,) = ended(of_old("asterisk-1.4"))
    assert (call.caller.number, call.called, call.line) == ("13900000003", "12345", "12345")
    assert [talk.agent for talk in call.conversations] == ["1001"]


@pytest.mark.parametrize("name", ["queue", "queue-local-member", "internal"])
def test_a_capture_of_asterisk_11_that_begins_in_mid_call(name: str) -> None:
    whole = (OLD / f"{name}.txt").read_bytes().decode().split("\r\n\r\n")
    linked = next(index for index, block in enumerate(whole) if "Bridgestate: Link" in block)
    (call,) = ended(replayed("\r\n\r\n".join(whole[linked:]), SIP))
    assert call.conversations
    for cut in range(len(whole)):
        try:
            facts = replayed("\r\n\r\n".join(whole[cut:]), SIP)
        except ReplayError:
            continue
        assert len({one.id for one in ended(facts)}) == len(ended(facts))


def test_a_newer_capture_passes_as_it_is() -> None:
    headers = [{"Event": "Newchannel", "Uniqueid": "1.1", "Linkedid": "1.1"}, {"Event": "Bridge"}]
    assert [one for _, one in Legacy().translate((None, each) for each in headers)] == headers
