"""Calls told from what the PBX left of them, in plain data."""

import pytest
from msgspec import structs

from domain import facts as f
from domain.calls import Call, CallSource, CallState, Direction, EndReason
from domain.pbx.records import DetailRecord, PbxRecords, QueueLogLine, RawRecording
from domain.pbx.snapshot import PbxSnapshot
from domain.queues import QueueOutcome
from gateway.asterisk.queue_log import detail_record, queue_log_line
from gateway.calls.outage import Recovered, inside
from gateway.calls.resync import resync
from gateway.calls.stays import stays_of
from tests.support.queue_call import AGENT, ANSWERED, ARRIVAL, CALLER, RINGING, play, tracker

T = 1_700_000_000.0
SINCE = T + 100
"""The outage of these tests begins here."""
BACK = T + 4_000
"""And the gateway is back here."""


def log_of(*lines: str) -> dict[str, tuple[QueueLogLine, ...]]:
    """Lines as in the file, their time counted from T."""
    found: dict[str, tuple[QueueLogLine, ...]] = {}
    for line in lines:
        at, rest = line.split("|", 1)
        read = queue_log_line(f"{round(T) + int(at)}|{rest}")
        assert read is not None, line
        found[read.uniqueid] = (*found.get(read.uniqueid, ()), read)
    return found


def raw(uniqueid: str, duration: float, until: float) -> RawRecording:
    return RawRecording(uniqueid, f"/rec/{uniqueid}.raw", duration, T + until)


def found(records: PbxRecords, *taken: str, margin: float = 60.0) -> list[Recovered]:
    return inside(records, tracker().registry, SINCE, SINCE - margin, taken)


def one(records: PbxRecords) -> Call:
    (recovered,) = found(records)
    return recovered.call


U = "1700000200.7"


# -- wholly inside -------------------------------------------------------------------------------------------
def test_an_answered_call() -> None:
    log = log_of(
        f"203|{U}|yiqilai|NONE|ENTERQUEUE||13962875016|1",
        f"206|{U}|yiqilai|1001|RINGNOANSWER|3000",
        f"210|{U}|yiqilai|1002|CONNECT|7|1700000206.9|4",
        f"250|{U}|yiqilai|1002|COMPLETECALLER|7|40|1",
    )
    (recovered,) = found(PbxRecords(log, {}, {U: raw(U, 50.0, 251.0)}, tells_answers=True))
    call = recovered.call
    assert (call.id, call.direction, call.state) == (f"main-{U}", Direction.INBOUND, CallState.ENDED)
    assert (call.line, call.queue, call.agent, call.caller.number) == (
        "yiqilai", "yiqilai", "1002", "13962875016",
    )  # fmt: skip
    assert (call.started_at, call.queued_at, call.answered_at, call.ended_at) == (
        T + 200, T + 203, T + 210, T + 251,
    )  # fmt: skip
    (talk,) = call.conversations
    assert (talk.agent, talk.started_at, talk.ended_at) == ("1002", T + 210, T + 250)
    assert (call.end_reason, call.source) == (EndReason.COMPLETED, CallSource.RECORDS)
    (recording,) = call.recordings
    assert (recording.path, recording.started_at) == (f"/rec/{U}.raw", T + 201), "its end less its length"
    assert call.has_work_order
    assert call.needs_post_call
    (entry,) = recovered.entries
    assert (entry.outcome, entry.waited, entry.talked, entry.missed) == (QueueOutcome.ANSWERED, 7.0, 40.0, 1)


def test_those_who_gave_up_or_were_released() -> None:
    for line, reason, outcome in (
        (f"230|{U}|q12345|NONE|ABANDON|1|1|27", EndReason.ABANDONED_QUEUE, QueueOutcome.ABANDONED),
        (f"230|{U}|q12345|NONE|EXITWITHTIMEOUT|1|1|27", EndReason.QUEUE_TIMEOUT, QueueOutcome.TIMEOUT),
        (f"230|{U}|q12345|NONE|EXITEMPTY|1|1|27", EndReason.QUEUE_TIMEOUT, QueueOutcome.EMPTY),
    ):
        log = log_of(f"203|{U}|q12345|NONE|ENTERQUEUE||13962875016|1", line)
        (recovered,) = found(PbxRecords(log, {}, {U: raw(U, 29.0, 230.5)}, tells_answers=True))
        call = recovered.call
        assert (call.end_reason, call.ended_at, call.conversations) == (reason, T + 230.5, ())
        assert not call.needs_post_call
        assert (recovered.entries[0].outcome, recovered.entries[0].waited) == (outcome, 27.0)


def test_one_the_log_leaves_waiting_is_over_all_the_same() -> None:
    """The PBX died."""
    (recovered,) = found(PbxRecords(log_of(f"203|{U}|q12345|NONE|ENTERQUEUE||1396|1"), tells_answers=True))
    assert (recovered.call.end_reason, recovered.call.ended_at) == (EndReason.UNSEEN, T + 203)
    assert recovered.entries[0].outcome is QueueOutcome.UNSEEN


def test_a_transfer_back_into_a_queue_gives_two_conversations() -> None:
    log = log_of(
        f"203|{U}|q12345|NONE|ENTERQUEUE||1396|1",
        f"210|{U}|q12345|1001|CONNECT|7|1700000206.9|4",
        f"240|{U}|q12345|1001|BLINDTRANSFER|yiqilai|hotline-transfer|7|30|1",
        f"240|{U}|yiqilai|NONE|ENTERQUEUE||1396|1",
        f"245|{U}|yiqilai|1002|CONNECT|5|1700000241.9|4",
        f"265|{U}|yiqilai|1002|COMPLETEAGENT|5|20|1",
    )
    (recovered,) = found(PbxRecords(log, tells_answers=True))
    spans = [(talk.agent, talk.started_at - T, talk.ended_at) for talk in recovered.call.conversations]
    assert spans == [("1001", 210, T + 240), ("1002", 245, T + 265)]
    assert [entry.transferred for entry in recovered.entries] == [True, False]


def test_known_living_and_older_ones_are_left_alone() -> None:
    log = log_of(f"203|{U}|q12345|NONE|ENTERQUEUE||1396|1", f"230|{U}|q12345|NONE|ABANDON|1|1|27")
    old = "1700000039.7"
    records = PbxRecords(log, {}, {old: raw(old, 9.0, 50.0)}, tells_answers=True)
    assert [one.call.linkedid for one in found(records)] == [U]
    assert found(records, U) == []
    assert [one.call.linkedid for one in found(records, margin=100.0)] == [old, U]


def test_a_recording_alone() -> None:
    records = PbxRecords({}, {}, {U: raw(U, 50.0, 251.0)})
    call = one(records)
    assert (call.direction, len(call.conversations)) == (Direction.INBOUND, 1), "nothing tells it was not"
    assert call.needs_post_call
    # Where a log tells of everybody who called, it is an agent's own call.
    call = one(structs.replace(records, tells_answers=True))
    assert (call.direction, call.has_work_order, call.needs_post_call) == (Direction.OUTBOUND, False, True)


def test_detail_records() -> None:
    phone, trunk = "PJSIP/1001-00000001", "PJSIP/trunk-00000002"
    out = DetailRecord(U, "1001", "13800138000", phone, trunk, T + 200, T + 260, T + 210, True)
    call = one(PbxRecords({}, {U: (out,)}, tells_answers=True))
    assert (call.direction, call.agent, call.called) == (Direction.OUTBOUND, "1001", "13800138000")
    assert [(talk.agent, talk.started_at, talk.ended_at) for talk in call.conversations] == [
        ("1001", T + 210, T + 260)
    ]
    missed = DetailRecord(U, "1396", "12345", trunk, "", T + 200, T + 220)
    call = one(PbxRecords({}, {U: (missed,)}, tells_answers=True))
    assert (call.direction, call.line, call.conversations) == (Direction.INBOUND, "12345", ())
    assert (call.ended_at, call.end_reason) == (T + 220, EndReason.UNSEEN)
    unit = DetailRecord(U, "1396", "0513", trunk, "PJSIP/trunk-00000003", T + 200, T + 260, T + 210, True)
    call = one(PbxRecords({}, {U: (unit,)}, tells_answers=True))
    assert [(talk.agent, talk.party) for talk in call.conversations] == [(None, "0513")]
    assert (call.end_reason, call.has_work_order) == (EndReason.COMPLETED, False)
    ours = DetailRecord(U, "", "spy", "Local/spy@hotline-listen-01;1", "", T + 200, T + 220)
    assert found(PbxRecords({}, {U: (ours,)}, tells_answers=True)) == []


def test_an_agents_recording_is_put_with_the_detail_record() -> None:
    phone, trunk = "PJSIP/1001-00000001", "PJSIP/trunk-00000002"
    called, other = "1700000200.8", "1700000201.9"
    rows = (DetailRecord(U, "1001", "138", phone, trunk, T + 200, T + 260, T + 210, True),)
    sounds = {called: raw(called, 49.6, 260.2), other: raw(other, 20.0, 230.0)}
    first, second = found(PbxRecords({}, {U: rows}, sounds, tells_answers=True))
    assert first.call.linkedid == U
    assert [one.path for one in first.call.recordings] == [f"/rec/{called}.raw"]
    assert first.call.recordings[0].started_at - T == pytest.approx(210.6)
    assert second.call.linkedid == other
    # Found again: both are known by then.
    records = PbxRecords({}, {U: rows}, sounds, tells_answers=True)
    assert [one.call.linkedid for one in found(records, U, called)] == [other]
    assert [one.call.linkedid for one in found(records, U, called, other)] == []


# -- known before --------------------------------------------------------------------------------------------
def known(*chapters: list[object]) -> Call:
    before = tracker()
    play(before, *chapters)  # type: ignore[arg-type]
    (call,) = before.calls.values()
    return call


def moved(call: Call) -> Call:
    """As if it had begun at T, where the call of the tests begins at 1.0."""
    return structs.replace(
        call,
        started_at=call.started_at + T,
        queued_at=call.queued_at and call.queued_at + T,
        ringing_at=call.ringing_at and call.ringing_at + T,
        answered_at=call.answered_at and call.answered_at + T,
        legs=tuple(
            structs.replace(leg, created_at=leg.created_at + T, answered_at=None) for leg in call.legs
        ),
        conversations=tuple(
            structs.replace(talk, started_at=talk.started_at + T) for talk in call.conversations
        ),
        recordings=tuple(structs.replace(one, started_at=one.started_at + T) for one in call.recordings),
    )


def gone(call: Call, records: PbxRecords) -> tuple[Call, list[f.AnyFact]]:
    facts = resync(tracker(), PbxSnapshot(pbx="main", at=BACK), [call], records)
    (over,) = [fact.call for fact in facts if isinstance(fact, f.CallEnded)]
    return over, facts


def test_one_who_waited_and_was_answered_meanwhile() -> None:
    call = moved(known(ARRIVAL))
    log = log_of(
        f"3|{CALLER}|q12345|NONE|ENTERQUEUE||13962875016|1",
        f"110|{CALLER}|q12345|1001|CONNECT|107|{AGENT}|4",
        f"150|{CALLER}|q12345|1001|COMPLETEAGENT|107|40|1",
    )
    over, _ = gone(call, PbxRecords(log, {}, {}, {"/rec/1.raw": 150.5}, SINCE, tells_answers=True))
    assert (over.end_reason, over.source) == (EndReason.COMPLETED, CallSource.PARTLY)
    assert (over.agent, over.answered_at) == ("1001", T + 110)
    assert over.ended_at == T + 1.3 + 150.5, "where its recording ends"
    assert [(talk.started_at, talk.ended_at) for talk in over.conversations] == [(T + 110, T + 150)]
    assert over.has_work_order


def test_one_who_talked_and_hung_up_meanwhile() -> None:
    call = moved(known(ARRIVAL, RINGING, ANSWERED))
    for records, end, reason in (
        (PbxRecords(watched_until=SINCE), SINCE, EndReason.UNSEEN),
        (PbxRecords(lengths={"/rec/1.raw": 333.0}, watched_until=SINCE), T + 334.3, EndReason.UNSEEN),
        (
            PbxRecords(
                log_of(
                    f"3|{CALLER}|q12345|NONE|ENTERQUEUE||13962875016|1",
                    f"8|{CALLER}|q12345|1001|CONNECT|5|{AGENT}|4",
                    f"300|{CALLER}|q12345|1001|COMPLETECALLER|5|292|1",
                ),
                watched_until=SINCE,
                tells_answers=True,
            ),
            T + 300,
            EndReason.COMPLETED,
        ),
    ):
        over, _ = gone(call, records)
        assert (over.ended_at, over.end_reason) == (end, reason)
        assert [talk.ended_at for talk in over.conversations] == [end], "one conversation, not an hour long"
        assert over.needs_post_call


def test_one_who_waited_and_gave_up_meanwhile() -> None:
    call = moved(known(ARRIVAL))
    log = log_of(
        f"3|{CALLER}|q12345|NONE|ENTERQUEUE||13962875016|1",
        f"130|{CALLER}|q12345|NONE|ABANDON|1|1|127",
    )
    over, _ = gone(call, PbxRecords(log, lengths={"/rec/1.raw": 129.0}, tells_answers=True))
    assert (over.end_reason, over.ended_at) == (EndReason.ABANDONED_QUEUE, T + 130.3)
    assert not over.needs_post_call


def test_without_a_log_whoever_was_recorded_on_is_taken_for_answered() -> None:
    call = moved(known(ARRIVAL))
    over, _ = gone(call, PbxRecords(lengths={"/rec/1.raw": 60.0}, watched_until=T + 10))
    assert over.has_work_order
    assert (over.ended_at, over.end_reason) == (T + 61.3, EndReason.UNSEEN)
    over, _ = gone(call, PbxRecords(watched_until=T + 10))
    assert not over.conversations, "nor was it recorded"


def test_the_figures_have_the_stay_from_the_log() -> None:
    before = tracker()
    facts = play(before, ARRIVAL)
    (call,) = before.calls.values()
    (entered,) = [one.entry for one in facts if isinstance(one, f.QueueEntryChanged)]
    log = log_of(
        f"3|{CALLER}|q12345|NONE|ENTERQUEUE||13962875016|1",
        f"110|{CALLER}|q12345|1001|CONNECT|107|{AGENT}|4",
        f"150|{CALLER}|q12345|1001|COMPLETEAGENT|107|40|1",
    )
    after = tracker()
    after.queue_state.restore([], [structs.replace(entered, entered_at=T + 3.2)])
    told = [
        (one.stage, one.entry.outcome, one.entry.waited, one.entry.talked)
        for one in resync(after, PbxSnapshot(pbx="main", at=BACK), [moved(call)], PbxRecords(log))
        if isinstance(one, f.QueueEntryChanged)
    ]
    assert told == [
        ("left", QueueOutcome.ANSWERED, 107.0, 40.0),
        ("served", QueueOutcome.ANSWERED, 107.0, 40.0),
    ]


# -- lines ---------------------------------------------------------------------------------------------------
def test_damaged_lines_of_the_queue_log_are_none() -> None:
    good = f"1700000203|{U}|q12345|NONE|ENTERQUEUE||13962875016|1"
    read = queue_log_line(good + "\r\n")
    assert read is not None
    assert (read.at, read.agent, read.data) == (T + 203, "", ("", "13962875016", "1"))
    assert queue_log_line(f"1700000203|pbx-east-{U}|q|1001|CONNECT|1|x|2") is not None, "with a system name"
    for bad in (
        "", "\n", "|||||", good[:20], "x" + good, good.replace(U, "NONE"), good.replace(U, "../../etc"),
        "1700000203|REALTIME|NONE|NONE|QUEUESTART|", "9" * 400 + good, good + "\0", f"-1|{U}|q|NONE|ABANDON",
    ):  # fmt: skip
        assert queue_log_line(bad) is None, bad


def test_absurd_figures_in_a_line_are_not_believed() -> None:
    lines = log_of(
        f"203|{U}|q12345|NONE|ENTERQUEUE", f"230|{U}|q12345|NONE|ABANDON|x|-1|99999999999999999999",
        f"231|{U}|q12345|NONE|HOLD|", f"232|{U}|q12345|1001|COMPLETECALLER",
    )[U]  # fmt: skip
    (stay,) = stays_of(lines, lambda name: name)
    assert (stay.outcome, stay.waited, stay.talked) == (QueueOutcome.ABANDONED, 27.0, None)


def test_detail_records_as_asterisk_writes_them() -> None:
    line = (
        '"","13962875016","12345","hotline-incoming","""季"" <13962875016>","PJSIP/trunk-00000001",'
        '"PJSIP/1001-00000002","Queue","q12345,tkc","2023-11-14 22:13:20","2023-11-14 22:13:21",'
        f'"2023-11-14 22:14:20",60,59,"ANSWERED","DOCUMENTATION","{U}",""\n'
    )
    read = detail_record(line, utc=True)
    assert read is not None
    assert (read.uniqueid, read.started_at, read.answered_at, read.ended_at, read.answered) == (
        U, T, T + 1, T + 60, True,
    )  # fmt: skip
    local = detail_record(line)  # in whatever zone this machine is
    assert local is not None
    assert local.ended_at - local.started_at == 60
    for bad in (
        "", line.replace(U, ""), line.replace("22:14:20", "21:14:20"), line[:80], line.replace("2023", ""),
        line.replace("2023-11-14 22:13:20", "0001-01-01 00:00:00"), line + "\0",
    ):  # fmt: skip
        found = detail_record(bad)
        assert found is None or found.started_at < found.ended_at, bad
