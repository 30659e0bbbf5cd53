"""Calls that lack something, over HTTP: who may see them, and who may have them taken up again."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

from argon2 import PasswordHasher
from msgspec import structs

from agents.accounts.identity import Role
from agents.accounts.passwords import Passwords
from agents.accounts.service import AccountService
from domain.calls import CallState, Conversation
from domain.facts import CallEnded
from domain.unfinished import UnfinishedCall
from domain.visibility.policy import Visibility
from domain.visibility.redact import redact
from gateway.modules.post_call import PostCallModule
from gateway.storage.accounts import AccountRepository
from gateway.storage.calls import CallRepository
from gateway.storage.command_log import CommandRepository
from gateway.storage.database import Database
from gateway.storage.journal import JournalWriter
from gateway.stream.state import LiveView
from gateway.web.auditing import note_into
from gateway.web.routes import unfinished
from gateway.web.serve import serve_web
from tests.support.api import PASSWORD, Desk, House
from tests.support.samples import call
from tests.support.web import WebServices, create_app

PATH = "/api/v1/unfinished-calls"


class Resumes:
    """The work after calls, as far as it is told to look again."""

    def __init__(self) -> None:
        self.times = 0

    async def resume(self) -> int:
        self.times += 1
        return 0


@asynccontextmanager
async def house(
    database: Database, tmp_path: Path
) -> AsyncIterator[tuple[House, CallRepository, CommandRepository, Resumes]]:
    repository = AccountRepository(database)
    cheap = Passwords(PasswordHasher(time_cost=1, memory_cost=64, parallelism=1))
    accounts = AccountService(repository, repository, passwords=cheap)
    for name, role in (("zhang", Role.AGENT), ("ban", Role.SUPERVISOR)):
        await accounts.create_account(name, PASSWORD, role, "1001" if role is Role.AGENT else None)
    calls, audit, resumes, desk = (
        CallRepository(database),
        CommandRepository(database),
        Resumes(),
        cast(Any, Desk()),
    )
    async with JournalWriter(database) as journal:
        for number in range(4):
            over = structs.replace(
                call(number, 1000.0 + number), state=CallState.ENDED, ended_at=1060.0 + number,
                conversations=(Conversation("1001", "PJSIP/1001-1", 1010.0, 1060.0),),
            )  # fmt: skip
            journal.put(CallEnded(at=1060.0, call=over))
    ids = [one.id for one in await calls.list_calls()][::-1]
    await calls.set_finished(ids[0])
    await calls.set_finished(ids[1], "/rec/1.raw is not there: mount it")
    await calls.set_trouble(ids[2], "OSError: database is locked")
    # The very module, without the recogniser and the PBXs that its opening would need.
    module = PostCallModule()
    module._calls, module._audit, module._post_call = calls, audit, cast(Any, resumes)
    services = WebServices(
        accounts, LiveView(), cast(Any, desk), cast(Any, desk), cast(Any, desk), audit=audit
    )
    app = create_app(services, more=lambda access: [unfinished.router(access, module, note_into(audit))])
    async with serve_web(app, "127.0.0.1", 0) as port:
        yield House(f"http://127.0.0.1:{port}", app, desk, accounts), calls, audit, resumes


async def test_seen_and_taken_up_again(database: Database, tmp_path: Path) -> None:
    async with house(database, tmp_path) as (it, calls, audit, resumes):
        ban = await it.sign_in("ban")
        _, _, shown = await it.ask("GET", PATH, headers=ban)
        assert [(one["waits"], one["trouble"]) for one in shown] == [
            (True, "OSError: database is locked"),
            (False, "/rec/1.raw is not there: mount it"),
        ]
        assert [one["line"] for one in shown] == ["12345", "12345"]
        one = shown[1]["id"]
        status, _, answer = await it.ask("POST", f"{PATH}/{one}/retry", headers=ban)
        assert (status, answer, resumes.times) == (200, {"opened": [one]}, 1)
        assert (await calls.finish_state(one))[0] == "pending"
        assert (await it.ask("POST", f"{PATH}/{one}/retry", headers=ban))[2] == {"opened": []}
        await calls.set_finished(one, "still not there")
        assert (await it.ask("POST", f"{PATH}/retry", headers=ban))[2] == {"opened": [one]}
        entries = [(entry.name, entry.username) for entry in await audit.list_audit()]
        assert entries == [("calls.retry", "ban")] * 3
        assert (await it.ask("GET", f"{PATH}?limit=0", headers=ban))[0] == 422
        assert (await it.ask("GET", f"{PATH}?limit=1", headers=ban))[2] == shown[:1]


async def test_agents_neither_see_nor_retry(database: Database, tmp_path: Path) -> None:
    async with house(database, tmp_path) as (it, calls, _, resumes):
        zhang = await it.sign_in("zhang")
        assert (await it.ask("GET", PATH, headers=zhang))[0] == 403
        assert (await it.ask("POST", f"{PATH}/retry", headers=zhang))[0] == 403
        assert (await it.ask("POST", f"{PATH}/x/retry", headers=zhang))[0] == 403
        assert (await it.ask("GET", PATH))[0] == 401
        assert resumes.times == 0
        assert len(await calls.lacking(10)) == 2


def test_the_fault_is_told_without_what_it_quotes() -> None:
    one = UnfinishedCall("c", "main", None, None, 1.0, True, "IntegrityError: ... ('13800138000',)")
    assert redact(one, Visibility(numbers=False)).trouble == "IntegrityError"
    assert redact(one, Visibility()) == one
