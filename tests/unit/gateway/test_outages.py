"""Outages on a real database, with the files a PBX leaves: every call once, however often looked for."""

import os
import time
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from domain.calls import CallSource, EndReason
from domain.facts import AnyFact, CallEnded, QueueEntryChanged
from domain.lines import Line
from domain.pbx import events as e
from domain.pbx.snapshot import ChannelSnapshot, PbxSnapshot
from domain.phones import AgentProfile
from domain.queues import QueueOutcome
from gateway.asterisk.link import LinkState
from gateway.asterisk.records import read_records
from gateway.calls.tracker import CallTracker
from gateway.facts.bus import LocalBus
from gateway.facts.recorder import FactRecorder
from gateway.outages import Outages
from gateway.pbx_state import PbxState
from gateway.settings import PbxSettings
from gateway.storage.calls import CallRepository
from gateway.storage.database import Database
from gateway.storage.journal import JournalWriter
from gateway.storage.pbx_watch import PbxWatchRepository

LINES = [Line("12345", "便民热线", ("12345",), "q12345")]
AGENTS = [AgentProfile("1001", "王芳", "PJSIP/1001")]


class House:
    """A PBX's files, and a gateway that starts on the same database again and again."""

    def __init__(self, database: Database, directory: Path) -> None:
        self.database, self.directory = database, directory
        (directory / "recordings").mkdir()
        self.log = directory / "queue_log"
        self.log.write_text("1500000000|NONE|NONE|NONE|QUEUESTART|\n")
        self.now = time.time()
        self.pbx = PbxSettings(
            name="main", username="u", secret=SecretStr("s"), queue_log=self.log,
            recordings_prefix="/rec", recordings_dir=directory / "recordings",
        )  # fmt: skip
        self.told: list[AnyFact] = []

    def unique(self, ago: float, number: int = 1) -> str:
        return f"{int(self.now - ago)}.{number}"

    def write(self, ago: float, rest: str) -> None:
        with self.log.open("a") as file:
            file.write(f"{int(self.now - ago)}|{rest}\n")

    def record(self, uniqueid: str, seconds: float, ago: float) -> None:
        for leg in ("rx", "tx"):
            file = self.directory / "recordings" / f"{uniqueid}-{leg}.raw"
            file.write_bytes(b"\0\1" * int(8000 * seconds))
            os.utime(file, (self.now - ago, self.now - ago))

    def answered(self, uniqueid: str, ago: float, *, number: str = "13962875016") -> None:
        """Called so many seconds ago, waited 5 s, talked 30 s."""
        self.write(ago, f"{uniqueid}|q12345|NONE|ENTERQUEUE||{number}|1")
        self.write(ago - 5, f"{uniqueid}|q12345|1001|CONNECT|5|{uniqueid}9|3")
        self.write(ago - 35, f"{uniqueid}|q12345|1001|COMPLETECALLER|5|30|1")
        self.record(uniqueid, 35.0, ago - 35)

    async def watched_until(self, ago: float) -> None:
        await PbxWatchRepository(self.database).note("main", self.now - ago, 0.0)

    async def start(self, *channels: ChannelSnapshot, before: Any = None) -> list[str]:
        """One run of the gateway up to the end of the recovery; the ids of the calls recovered."""
        bus = LocalBus()
        bus.listen(self.told.append)
        async with JournalWriter(self.database) as journal:
            facts, calls = FactRecorder(journal, bus), CallRepository(self.database)
            state = PbxState(CallTracker("main", LINES, AGENTS), facts, calls)
            outages = Outages(self.pbx, state, facts, calls, PbxWatchRepository(self.database), settle_s=0.0)
            state.records_of = outages.records_of
            if before is not None:
                await before(state)
            await state.on_snapshot(PbxSnapshot(pbx="main", at=time.time(), channels=channels))
            await state.on_state(LinkState(pbx="main", phase="up", at=time.time()))
            return [call.linkedid for call in await outages.recover()]

    async def calls(self) -> dict[str, Any]:
        return {one.linkedid: one for one in await CallRepository(self.database).list_calls()}


@pytest.fixture
async def house(database: Database, tmp_path: Path) -> House:
    house = House(database, tmp_path)
    await house.watched_until(600)
    return house


async def test_calls_inside_an_outage_are_found_once(house: House) -> None:
    talked, gave_up, alone = house.unique(500, 1), house.unique(400, 5), house.unique(300, 9)
    house.answered(talked, 500)
    house.write(400, f"{gave_up}|q12345|NONE|ENTERQUEUE||13800138000|1")
    house.write(380, f"{gave_up}|q12345|NONE|ABANDON|1|1|20")
    house.record(gave_up, 20.0, 380)
    house.record(alone, 12.0, 280)
    recordings = house.directory / "recordings"
    for name in ("music.wav", f"{alone}-rx.raw.bak", f"x{house.unique(200)}y-rx.raw"):
        (recordings / name).write_bytes(b"\0" * 16_000)
    (recordings / f"{house.unique(250, 3)}-rx.raw").write_bytes(b"\0" * 16_000)  # one leg: another program's
    assert await house.start() == [talked, gave_up, alone]
    assert await house.start() == []
    await house.watched_until(600)
    assert await house.start() == [], "as if the last start had been killed before it noted what it did"
    calls = await house.calls()
    assert set(calls) == {talked, gave_up, alone}
    assert {one.source for one in calls.values()} == {CallSource.RECORDS}
    assert calls[gave_up].end_reason is EndReason.ABANDONED_QUEUE
    open_work = await CallRepository(house.database).unfinished()
    assert {one.linkedid for one in open_work} == {talked, alone}
    assert sum(isinstance(fact, CallEnded) for fact in house.told) == 3


async def test_a_living_call_is_none_of_them(house: House) -> None:
    living = house.unique(500)
    house.write(500, f"{living}|q12345|NONE|ENTERQUEUE||13962875016|1")
    house.write(495, f"{living}|q12345|1001|CONNECT|5|{living}9|3")
    house.record(living, 490.0, 10)
    row = ChannelSnapshot(uniqueid=living, linkedid=living, channel="PJSIP/trunk-00000001", state="Up")
    assert await house.start(row) == []
    assert (await house.calls())[living].ended_at is None


def talking(caller: str, phone: str, began: float) -> tuple[ChannelSnapshot, ...]:
    """The two channels of a caller who talks with 1001, whose phone rang 3 s before."""
    both: dict[str, Any] = {"linkedid": caller, "state": "Up", "bridge": "b"}
    return (
        ChannelSnapshot(uniqueid=caller, channel="PJSIP/trunk-00000001", started_at=began - 5, **both),
        ChannelSnapshot(
            uniqueid=phone,
            channel="PJSIP/1001-00000002",
            started_at=began - 3,
            application="AppQueue",
            **both,
        ),
    )


@pytest.mark.parametrize("known", [False, True])
async def test_who_was_answered_meanwhile_and_goes_on_talks_since_the_answer(
    house: House, known: bool
) -> None:
    """Else nobody would hear what was said until the gateway came back, and the figures would miss it."""
    ago = 605 if known else 400
    caller, phone = house.unique(ago, 1), house.unique(ago - 2, 2)
    channel: dict[str, Any] = {
        "pbx": "main", "uniqueid": caller, "linkedid": caller, "channel": "PJSIP/trunk-00000001",
    }  # fmt: skip
    house.write(ago, f"{caller}|q12345|NONE|ENTERQUEUE||13962875016|1")
    house.write(395, f"{caller}|q12345|1001|CONNECT|{ago - 395}|{phone}|3")

    async def waits(state: PbxState) -> None:
        await state.on_event(e.NewChannel(at=house.now - ago, state="Ring", exten="12345", **channel))
        await state.on_event(e.QueueCallerJoin(at=house.now - ago, queue="q12345", position=1, **channel))

    rows = talking(caller, phone, house.now - 395)
    assert await house.start(*rows, before=waits if known else None) == []
    call = (await house.calls())[caller]
    (talk,) = call.conversations
    assert (talk.agent, call.queue, call.ended_at) == ("1001", "q12345", None)
    assert talk.started_at == call.answered_at == pytest.approx(house.now - 395, abs=1.1)
    entries = [fact for fact in house.told if isinstance(fact, QueueEntryChanged)]
    assert [fact.stage for fact in entries] == ["entered", "left"]
    left = entries[-1].entry
    assert (left.outcome, left.agent, left.waited, left.talked) == (
        QueueOutcome.ANSWERED,
        "1001",
        ago - 395,
        None,
    )

    async def completes(state: PbxState) -> None:
        state.queue_state.restore([], [left])
        complete: dict[str, Any] = {"queue": "q12345", "interface": "PJSIP/1001", "member": "1001",
            "dest_uniqueid": phone, "dest_channel": "PJSIP/1001-00000002"}  # fmt: skip
        await state.on_snapshot(PbxSnapshot(pbx="main", at=time.time(), channels=rows))
        await state.on_event(
            e.AgentComplete(at=time.time(), talk_time=395, hold_time=5, **complete, **channel)
        )

    await house.start(before=completes)
    entries = [fact for fact in house.told if isinstance(fact, QueueEntryChanged)]
    assert [(fact.stage, fact.entry.talked) for fact in entries[2:]] == [("served", 395)]


async def test_without_a_log_a_talk_began_once_both_were_there(house: House) -> None:
    house.log.unlink()
    caller, phone = house.unique(400, 1), house.unique(398, 2)
    await house.start(*talking(caller, phone, house.now - 395))
    (talk,) = (await house.calls())[caller].conversations
    assert talk.started_at == pytest.approx(house.now - 398, abs=0.1)


async def test_a_call_known_before_is_closed_from_the_log_and_not_found_again(house: House) -> None:
    known = house.unique(700)
    house.answered(known, 700)

    async def rang(state: PbxState) -> None:
        channel: dict[str, Any] = {
            "pbx": "main", "uniqueid": known, "linkedid": known, "channel": "PJSIP/trunk-00000001",
        }  # fmt: skip
        await state.on_event(e.NewChannel(at=house.now - 700, state="Ring", exten="12345", **channel))
        await state.on_event(
            e.VarSet(at=house.now - 700, variable="HOTLINE_RECORDING", value=f"/rec/{known}.raw", **channel)
        )

    assert await house.start(before=rang) == []
    call = (await house.calls())[known]
    assert (call.source, call.end_reason) == (CallSource.PARTLY, EndReason.COMPLETED)
    assert call.ended_at == pytest.approx(house.now - 665, abs=1.1)
    assert call.needs_post_call
    assert [one.id for one in await CallRepository(house.database).unfinished()] == [call.id]


async def test_a_pbx_never_watched_had_no_outage(database: Database, tmp_path: Path) -> None:
    house = House(database, tmp_path)
    house.answered(house.unique(500), 500)
    assert await house.start() == []
    assert await house.start() == []


async def test_the_calls_of_the_older_version_tell_when_it_went(database: Database, tmp_path: Path) -> None:
    house = House(database, tmp_path)
    await house.watched_until(3000)
    first, second = house.unique(2000), house.unique(500)
    house.answered(first, 2000)
    assert await house.start() == [first]
    async with database.writing() as connection:
        await connection.exec_driver_sql("DELETE FROM pbx_watch")
    house.answered(second, 500)
    assert await house.start() == [second]


# -- files ---------------------------------------------------------------------------------------------------
def test_the_log_is_read_from_its_end_and_from_its_rotated_elder(tmp_path: Path) -> None:
    log = tmp_path / "queue_log"
    pbx = PbxSettings(name="main", queue_log=log, recordings_dir=tmp_path)

    def lines(first: int, last: int) -> str:
        return "".join(f"{at}|{at}.1|q|NONE|ABANDON|1|1|1\n" for at in range(first, last))

    begin, end = 1_700_000_000, 1_700_020_000
    log.write_text(lines(begin, end) + "1700020000|1700020000.1|q|NONE|ABAN")
    for since in (end - 1, end - 3000, begin + 1, begin, begin - 5, end + 9):
        read = read_records(pbx, since)
        assert len(read.queue_log) == max(0, end - max(since, begin)), since
        assert read.tells_answers
    log.rename(tmp_path / "queue_log.1")
    log.write_text(lines(end, end + 10))
    assert len(read_records(pbx, end - 5).queue_log) == 15
    assert len(read_records(pbx, end + 5).queue_log) == 5


def test_what_cannot_be_read_is_missed_alone(tmp_path: Path) -> None:
    pbx = PbxSettings(name="main", queue_log=tmp_path / "no", cdr=tmp_path, recordings_dir=tmp_path / "none")
    read = read_records(pbx, 0.0, ["/etc/passwd", "/var/spool/asterisk/monitor/hotline/../x.raw"])
    assert (read.queue_log, read.details, read.recordings, read.lengths) == ({}, {}, {}, {})
    assert not read.tells_answers


def test_garbage_is_passed_over(tmp_path: Path) -> None:
    log = tmp_path / "queue_log"
    good = "1700000500|1700000500.1|q|NONE|ABANDON|1|1|1\n"
    log.write_bytes(b"\xff\xfe\0" * 70_000 + b"\n" + good.encode() + b"\n\n|||\n" + b"x" * 200_000 + b"\n")
    pbx = PbxSettings(name="main", queue_log=log, recordings_dir=tmp_path)
    assert set(read_records(pbx, 1_700_000_000.0).queue_log) == {"1700000500.1"}
