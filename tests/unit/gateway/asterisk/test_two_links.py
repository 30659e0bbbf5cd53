"""Several PBXs, each with its own link: one that is down, silent or cut off does not disturb another."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from pydantic import SecretStr

from domain.calls import EndReason
from domain.facts import AnyFact, CallEnded, CallStarted, PbxLinkChanged
from domain.lines import Line
from gateway.asterisk.link import PbxLink
from gateway.calls.tracker import CallTracker
from gateway.demo.ami_server import AmiServer, Headers
from gateway.facts.bus import LocalBus
from gateway.facts.recorder import FactRecorder
from gateway.pbx_state import PbxState
from gateway.settings import PbxSettings
from gateway.storage.calls import CallRepository
from gateway.storage.database import Database
from gateway.storage.journal import JournalWriter
from tests.support.databases import new_file

LINES = [Line("12345", "热线", ("12345",), "q12345")]


class ScriptedChannels:
    """The current channels of a scripted PBX; nothing else."""

    def __init__(self) -> None:
        self.channels: dict[str, Headers] = {}

    def channel_rows(self) -> list[Headers]:
        return [[("Event", "CoreShowChannel"), *row] for row in self.channels.values()]

    def bridge_rows(self) -> list[Headers]:
        return []

    def bridge_members(self, bridge: str) -> list[str]:
        return []

    def queue_rows(self) -> list[Headers]:
        return []

    def device_rows(self) -> list[Headers]:
        return []

    async def originate(self, action: dict[str, str], variables: dict[str, str]) -> str:
        return "not here"

    def hang_up(self, channel: str) -> bool:
        return False

    def queue_pause(self, interface: str, paused: bool, reason: str) -> bool:
        return False


class Pbx:
    """A scripted PBX on a socket, and the gateway's state of it."""

    def __init__(self, name: str, facts: list[AnyFact], journal: JournalWriter, database: Database) -> None:
        self.name, self.port = name, 0
        self.scripted = ScriptedChannels()
        bus = LocalBus()
        bus.listen(facts.append)
        self.tracker = CallTracker(name, LINES, ())
        self.pbx_state = PbxState(self.tracker, FactRecorder(journal, bus), CallRepository(database))

    async def start(self) -> None:
        self.server = AmiServer("127.0.0.1", self.port, "hotline", "right", self.scripted)
        await self.server.start()
        self.port = self.server.port

    async def follow(self) -> "asyncio.Task[None]":
        settings = PbxSettings(
            name=self.name,
            host="127.0.0.1",
            port=self.port,
            username="hotline",
            secret=SecretStr("right"),
            reconnect_max_s=0.2,
        )
        link = PbxLink(settings, self.pbx_state.on_event, self.pbx_state.on_state, self.pbx_state.on_snapshot)
        return asyncio.create_task(link.run())

    async def until(self, phase: str) -> None:
        async with asyncio.timeout(5):
            while self.pbx_state.link.phase != phase:  # noqa: ASYNC110
                await asyncio.sleep(0.005)

    def call(self, number: int) -> str:
        """A call comes in; its id."""
        uniqueid = f"1800000000.{number}"
        row = [
            ("Channel", f"PJSIP/trunk-{number:08x}"),
            ("Uniqueid", uniqueid),
            ("Linkedid", uniqueid),
            ("CallerIDNum", "13962875016"),
            ("Exten", "12345"),
            ("Context", "hotline-incoming"),
        ]
        self.scripted.channels[uniqueid] = row
        self.server.emit("Newchannel", row)
        return f"{self.name}-{uniqueid}"

    def end(self, call_id: str, *, told: bool = True) -> None:
        """The call ends; `told=False` means nobody is watching."""
        row = self.scripted.channels.pop(call_id.partition("-")[2])
        if told:
            self.server.emit("Hangup", [*row, ("Cause", "16")])

    async def sees(self, *call_ids: str) -> None:
        async with asyncio.timeout(5):
            while set(self.tracker.calls) != set(call_ids):  # noqa: ASYNC110
                await asyncio.sleep(0.005)


@asynccontextmanager
async def two(directory: Path) -> AsyncIterator[tuple[Pbx, Pbx, list[AnyFact]]]:
    database = Database(new_file(directory / "hotline.db"))
    facts: list[AnyFact] = []
    async with JournalWriter(database) as journal:
        pbxs = [Pbx(name, facts, journal, database) for name in ("east", "west")]
        tasks = []
        for pbx in pbxs:
            await pbx.start()
            tasks.append(await pbx.follow())
            await pbx.until("up")
        try:
            yield pbxs[0], pbxs[1], facts
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            for pbx in pbxs:
                await pbx.server.stop()
    await database.close()


def reasons(facts: list[AnyFact]) -> dict[str, EndReason | None]:
    return {fact.call.id: fact.call.end_reason for fact in facts if isinstance(fact, CallEnded)}


async def test_one_pbx_down_does_not_disturb_the_other(tmp_path: Path) -> None:
    async with two(tmp_path) as (east, west, facts):
        lost, stays = east.call(1), west.call(1)
        await east.sees(lost)
        await west.sees(stays)
        await east.server.stop()
        await east.until("disconnected")
        ending, coming = stays, west.call(2)
        west.end(ending)
        await west.sees(coming)
        assert set(east.tracker.calls) == {lost}
        assert {fact.pbx for fact in facts if isinstance(fact, PbxLinkChanged) and not fact.up} == {"east"}
        assert set(reasons(facts)) == {ending}


async def test_after_a_cut_nothing_is_lost_and_nothing_invented(tmp_path: Path) -> None:
    async with two(tmp_path) as (east, west, facts):
        goes_on, ends_unseen, elsewhere = east.call(1), east.call(2), west.call(1)
        await east.sees(goes_on, ends_unseen)
        await east.server.stop()
        await east.until("disconnected")
        # While nobody watches: one call ends, one begins, one begins and ends.
        east.end(ends_unseen, told=False)
        begun = east.call(3)
        east.end(east.call(4), told=False)
        await asyncio.sleep(1.0)
        await east.start()
        await east.until("up")
        await east.sees(goes_on, begun)
        assert reasons(facts) == {ends_unseen: EndReason.UNSEEN}
        started = [fact.call.id for fact in facts if isinstance(fact, CallStarted)]
        assert sorted(started) == sorted([goes_on, ends_unseen, elsewhere, begun])
        # And it goes on as before: the events that follow are folded, none twice.
        east.end(goes_on)
        east.end(begun)
        await east.sees()
        assert len([fact for fact in facts if isinstance(fact, CallEnded)]) == 3
        await west.sees(elsewhere)


async def test_a_pbx_that_began_anew_ends_its_calls_and_no_others(tmp_path: Path) -> None:
    async with two(tmp_path) as (east, west, facts):
        gone, stays = east.call(1), west.call(1)
        await east.sees(gone)
        await west.sees(stays)
        await east.server.stop()
        east.scripted.channels.clear()
        await east.start()
        await east.sees()
        assert reasons(facts) == {gone: EndReason.UNSEEN}
        await west.sees(stays)
