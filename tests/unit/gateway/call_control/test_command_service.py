"""Execution of commands on a real database: once per id, errors as answers, everything audited."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from agents.accounts.identity import Identity, Role
from domain.commands import CommandError
from domain.pbx.errors import ActionRefused, ActionTimeout, ConnectionLost
from gateway.call_control.service import CommandService
from gateway.call_control.view import View
from gateway.storage.command_log import CommandRepository
from gateway.storage.database import Database
from tests.support.call_control import CALLER, CONSULTS, HERS, ID, RULES, Recorder, call, view
from tests.support.databases import new_file

ZHANG = Identity("zhang", Role.AGENT, "1001", "t", 9e9, "c")
LI = Identity("li", Role.AGENT, "1002", "t", 9e9, "c")
TALK = view(call(CALLER, HERS))


class House:
    def __init__(self, store: CommandRepository) -> None:
        self.store = store
        self.pbx = Recorder()
        self.view: View = TALK
        self.wrap_ups: list[tuple[str, str, int | None]] = []
        self.commander = self.another()

    def another(self) -> CommandService:
        """As after a restart: the same database, nothing in memory."""
        return CommandService(
            self.store, RULES, lambda: self.view, {"main": self.pbx}, self._wrap_up, self._caller_of
        )

    async def _caller_of(self, who: Identity, call_id: str) -> str | None:
        """Of 1001's calls: one from a mobile, one from abroad."""
        if who.agent_id != "1001":
            return None
        return {"main-1.0": "13912345678", "main-2.0": "0012025550123"}.get(call_id)

    def _wrap_up(self, pbx: str, agent: str, seconds: int | None) -> None:
        if seconds == 3600:
            raise CommandError("not_possible", "not_in_wrap_up", agent=agent)
        self.wrap_ups.append((pbx, agent, seconds))

    async def ask(self, who: Identity, name: str, *, command_id: str | None = None, **args: Any) -> Any:
        return await self.commander.command(who, command_id or str(uuid.uuid4()), name, args)


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    database = Database(new_file(tmp_path / "test.db"))
    yield House(CommandRepository(database))
    await database.close()


async def test_the_same_id_is_done_once(house: House) -> None:
    one = str(uuid.uuid4())
    first = await house.ask(ZHANG, "pause", command_id=one, reason="小休")
    assert first.ok and first.result == {"reason": "小休"}
    assert await house.ask(ZHANG, "pause", command_id=one, reason="小休") == first
    house.commander = house.another()
    assert await house.ask(ZHANG, "pause", command_id=one, reason="小休") == first
    assert [name for name, _ in house.pbx.asked] == ["QueuePause"]
    assert (await house.ask(ZHANG, "pause", command_id=one, reason="培训")).code == "id_reused"
    assert (await house.ask(LI, "pause", command_id=one, reason="小休")).code == "id_reused"
    assert len(await house.store.list_audit()) == 1


async def test_a_refusal_is_kept_as_well(house: House) -> None:
    one = str(uuid.uuid4())
    house.view = view()
    assert (await house.ask(ZHANG, "hold", command_id=one)).code == "not_possible"
    house.view = TALK
    assert (await house.ask(ZHANG, "hold", command_id=one)).code == "not_possible"
    assert house.pbx.asked == []


async def test_asked_again_while_it_is_being_done(house: House) -> None:
    one = str(uuid.uuid4())
    house.pbx.open.clear()
    both = [asyncio.create_task(house.ask(ZHANG, "mute", command_id=one)) for _ in range(2)]
    await house.pbx.begun.wait()
    await asyncio.sleep(0.05)
    # The asker going away changes nothing for the other.
    both[0].cancel()
    house.pbx.open.set()
    assert (await both[1]).ok
    assert [headers["Variable"] for _, headers in house.pbx.asked] == ["VOLUME(RX)", "HOTLINE_MUTED"]


async def test_what_was_begun_before_a_crash_is_not_done_again(house: House) -> None:
    one = str(uuid.uuid4())
    house.pbx.open.clear()
    asked = asyncio.create_task(house.ask(ZHANG, "mute", command_id=one))
    await house.pbx.begun.wait()
    house.commander = house.another()
    assert (await house.ask(ZHANG, "mute", command_id=one)).code == "interrupted"
    assert len(house.pbx.asked) == 1
    house.pbx.open.set()
    await asked


@pytest.mark.parametrize(
    ("error", "code", "text"),
    [
        (ActionRefused("Setvar: No such channel"), "pbx_refused", "No such channel"),
        (ActionTimeout("Setvar: 10 s"), "pbx_timeout", "10 s"),
        (ConnectionLost("not connected"), "pbx_down", "not connected"),
        (RuntimeError("secret inside"), "failed", "log"),
    ],
)
async def test_trouble_with_the_pbx_is_an_answer(
    house: House, error: Exception, code: str, text: str
) -> None:
    house.pbx.say = lambda _: error
    answer = await house.ask(ZHANG, "mute")
    assert (answer.ok, answer.code) == (False, code)
    assert text in answer.message
    assert "secret inside" not in answer.message


async def test_a_static_member_is_told_apart(house: House) -> None:
    house.pbx.say = lambda _: ActionRefused("QueueRemove: Member not dynamic")
    answer = await house.ask(ZHANG, "log_out")
    assert answer.code == "not_possible"
    assert 'login = "desk"' in answer.message


async def test_a_refused_step_ends_the_command(house: House) -> None:
    house.view = CONSULTS
    house.pbx.say = lambda _: ActionRefused("PlayDTMF: no")
    assert (await house.ask(ZHANG, "swap")).code == "pbx_refused"
    assert len(house.pbx.asked) == 1


async def test_a_cancelled_consultation_is_seen_to_end_and_told_twice(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.call_control.service.SETTLES_S", 0.2)

    def told(times: int) -> Callable[[str], None]:
        """The PBX hears the code only when it is played so often."""

        def hear(_: str) -> None:
            if len(house.pbx.asked) == 2 * times:
                house.view = TALK

        return hear

    for times in (1, 2):
        house.view, house.pbx.say = CONSULTS, told(times)
        house.pbx.asked.clear()
        assert (await house.ask(ZHANG, "cancel_transfer")).ok
        assert [headers["Digit"] for _, headers in house.pbx.asked] == ["*", "1"] * times
    house.view, house.pbx.say = CONSULTS, lambda _: None
    answer = await house.ask(ZHANG, "cancel_transfer")
    assert (answer.code, answer.reason) == ("not_possible", "consulting_goes_on")


async def test_calling_back_tells_nobody_the_number_but_the_pbx(house: House) -> None:
    house.view = view()
    assert (await house.ask(ZHANG, "originate", back_to="main-1.0")).ok
    ((name, headers),) = house.pbx.asked
    assert (name, headers["Exten"], headers["Context"]) == ("Originate", "13912345678", "hotline-outbound")
    house.pbx.asked.clear()
    refusals = [
        await house.ask(ZHANG, "originate", back_to="main-2.0"),
        await house.ask(LI, "originate", back_to="main-1.0"),
        await house.ask(ZHANG, "originate", back_to="main-9.9"),
        await house.ask(ZHANG, "originate", back_to="main-1.0", to={"agent": "1002"}),
        await house.ask(ZHANG, "originate"),
    ]
    assert [(one.code, one.reason) for one in refusals] == [
        ("forbidden", "caller_forbidden"),
        ("not_possible", "caller_unknown"),
        ("not_possible", "caller_unknown"),
        ("bad_args", "bad_args"),
        ("bad_args", "bad_args"),
    ]
    assert house.pbx.asked == []
    told = str(refusals) + str(await house.store.list_audit())
    assert "13912345678" not in told and "0012025550123" not in told


async def test_wrap_up(house: House) -> None:
    assert (await house.ask(ZHANG, "wrap_up_extend", seconds=60)).ok
    assert (await house.ask(ZHANG, "wrap_up_done")).ok
    assert house.wrap_ups == [("main", "1001", 60), ("main", "1001", None)]
    assert (await house.ask(ZHANG, "wrap_up_extend", seconds=3600)).code == "not_possible"


async def test_everything_is_audited_also_what_is_refused(house: House) -> None:
    await house.ask(ZHANG, "pause", reason="小休")
    await house.ask(ZHANG, "listen", target="1002")
    await house.ask(LI, "transfer", to={"number": "1\r\nAction: x"})
    await house.ask(LI, "rm -rf\r\n\ud800" * 20, junk="\ud800" + "x" * 9000)
    entries = [
        (e.username, e.role, e.agent, e.name[:9], e.ok, e.code)
        for e in reversed(await house.store.list_audit())
    ]
    assert entries == [
        ("zhang", "agent", "1001", "pause", True, ""),
        ("zhang", "agent", "1001", "listen", False, "forbidden"),
        ("li", "agent", "1002", "transfer", False, "bad_args"),
        ("li", "agent", "1002", "rm -rf\\r\\", False, "unknown_command"),
    ]
    newest = (await house.store.list_audit(limit=1))[0]
    assert len(newest.args) <= 2000
    assert "\r" not in newest.name


@pytest.mark.parametrize("bad", ["", "1", ID.upper(), "x" * 36, "\ud800", f"{ID}\n"])
async def test_an_id_is_a_uuid(house: House, bad: str) -> None:
    answer = await house.commander.command(ZHANG, bad, "pause", {"reason": "小休"})
    assert answer.code == "bad_args"
    assert house.pbx.asked == []
