"""Accounts on in-memory ports: who can sign in, who cannot, and how often they may try."""

import asyncio

import pytest
from argon2 import PasswordHasher
from msgspec import structs

from agents.accounts.identity import Account, Permission, Role, Session
from agents.accounts.passwords import Passwords
from agents.accounts.service import AccountService, LoginRefusedError, LoginThrottledError, token_hash
from agents.state_machine import Seen, state_of
from domain.queues import AgentState

CHEAP = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)
DEARER = PasswordHasher(time_cost=2, memory_cost=64, parallelism=1)


class Memory:
    """Both ports, in memory."""

    def __init__(self) -> None:
        self.accounts: dict[str, Account] = {}
        self.sessions: dict[str, Session] = {}

    async def get_account(self, username: str) -> Account | None:
        return self.accounts.get(username)

    async def list_accounts(self) -> list[Account]:
        return sorted(self.accounts.values(), key=lambda one: one.username)

    async def put_account(self, account: Account) -> None:
        self.accounts[account.username] = account

    async def set_password_hash(self, username: str, password_hash: str) -> None:
        self.accounts[username] = structs.replace(self.accounts[username], password_hash=password_hash)

    async def add_session(self, session: Session) -> None:
        self.sessions[session.token_hash] = session

    async def get_signed_in(self, token_hash: str) -> tuple[Session, Account] | None:
        session = self.sessions.get(token_hash)
        account = self.accounts.get(session.username) if session else None
        return (session, account) if session and account else None

    async def delete_session(self, token_hash: str) -> None:
        self.sessions.pop(token_hash, None)

    async def delete_sessions_of(self, username: str) -> list[str]:
        gone = [key for key, one in self.sessions.items() if one.username == username]
        for key in gone:
            del self.sessions[key]
        return gone

    async def delete_expired_sessions(self, now: float) -> int:
        gone = [key for key, one in self.sessions.items() if one.expires_at <= now]
        for key in gone:
            del self.sessions[key]
        return len(gone)


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def service(memory: Memory, clock: Clock, hasher: PasswordHasher = CHEAP) -> AccountService:
    return AccountService(memory, memory, passwords=Passwords(hasher), session_s=100.0, clock=clock)


async def test_login_session_and_its_end() -> None:
    memory, clock = Memory(), Clock()
    accounts = service(memory, clock)
    await accounts.create_account("wang", "long enough", Role.AGENT, "1001")
    done = await accounts.login("wang", "long enough", "127.0.0.1")
    assert done.token not in str(memory.sessions)
    assert token_hash(done.token) in memory.sessions
    who = await accounts.authenticate(done.token)
    assert who is not None
    assert (who.role, who.agent_id, who.may(Permission.SEE_ALL)) == (Role.AGENT, "1001", False)
    clock.now += 101
    assert await accounts.authenticate(done.token) is None


@pytest.mark.parametrize(
    ("name", "password"), [("wang", "wrong wrong"), ("nobody", "long enough"), ("x' OR 1", "y")]
)
async def test_wrong_name_and_wrong_password_are_not_told_apart(name: str, password: str) -> None:
    accounts = service(Memory(), Clock())
    await accounts.create_account("wang", "long enough", Role.AGENT)
    with pytest.raises(LoginRefusedError, match="wrong user name or password"):
        await accounts.login(name, password, "127.0.0.1")


async def test_guessing_is_slowed_down_in_parallel_too() -> None:
    clock = Clock()
    accounts = service(Memory(), clock)
    await accounts.create_account("wang", "long enough", Role.AGENT)
    tries = await asyncio.gather(
        *(accounts.login("wang", f"guess number {n}", "10.0.0.1") for n in range(60)), return_exceptions=True
    )
    assert any(isinstance(one, LoginThrottledError) for one in tries)
    clock.now += 24 * 3600
    assert (await accounts.login("wang", "long enough", "10.0.0.1")).identity.username == "wang"


async def test_disabling_and_a_new_password_end_the_sessions() -> None:
    memory = Memory()
    accounts = service(memory, Clock())
    revoked: list[str] = []
    accounts.on_revoked(revoked.append)
    await accounts.create_account("wang", "long enough", Role.AGENT)
    first = await accounts.login("wang", "long enough", "a")
    await accounts.set_password("wang", "another long one")
    assert await accounts.authenticate(first.token) is None
    second = await accounts.login("wang", "another long one", "a")
    await accounts.disable("wang")
    assert await accounts.authenticate(second.token) is None
    assert revoked == [token_hash(first.token), token_hash(second.token)]
    with pytest.raises(LoginRefusedError):
        await accounts.login("wang", "another long one", "a")


async def test_a_hash_of_older_strength_is_renewed_at_login() -> None:
    memory = Memory()
    await service(memory, Clock()).create_account("wang", "long enough", Role.AGENT)
    before = memory.accounts["wang"].password_hash
    await service(memory, Clock(), DEARER).login("wang", "long enough", "a")
    after = memory.accounts["wang"].password_hash
    assert before != after
    assert "t=2" in after


@pytest.mark.parametrize(
    ("name", "password"), [("a b", "long enough"), ("", "long enough"), ("wang", "short")]
)
async def test_bad_accounts_are_refused_with_the_reason(name: str, password: str) -> None:
    with pytest.raises(ValueError, match=r"characters|letters"):
        await service(Memory(), Clock()).create_account(name, password, Role.AGENT)


@pytest.mark.parametrize(
    ("seen", "state"),
    [
        (Seen(), AgentState.LOGGED_OUT),
        (Seen(logged_in=True, device="NOT_INUSE"), AgentState.AVAILABLE),
        (Seen(logged_in=True, device="UNAVAILABLE", paused=True), AgentState.UNREACHABLE),
        (Seen(logged_in=True, paused=True, device="NOT_INUSE"), AgentState.PAUSED),
        (Seen(logged_in=True, paused=True, device="INUSE", talking=True), AgentState.TALKING),
        (Seen(logged_in=True, talking=True, held=True), AgentState.ON_HOLD),
        (Seen(logged_in=True, ringing=True), AgentState.RINGING),
        (Seen(logged_in=True, device="NOT_INUSE", wrap_up_until=20.0), AgentState.WRAP_UP),
        (Seen(logged_in=True, device="NOT_INUSE", wrap_up_until=10.0), AgentState.AVAILABLE),
        (Seen(logged_in=True, device="INUSE"), AgentState.TALKING),
    ],
)
def test_what_an_agent_is_doing(seen: Seen, state: AgentState) -> None:
    assert state_of(seen, 10.0) is state


async def test_a_whole_shift_behind_one_address_gets_in_and_guessing_does_not_help_itself() -> None:
    memory, clock = Memory(), Clock()
    accounts = service(memory, clock)
    for number in range(100):
        await accounts.create_account(f"agent{number}", "long enough", Role.AGENT, str(number))
    shift = [accounts.login(f"agent{number}", "long enough", "10.0.0.1") for number in range(100)]
    assert len({done.token for done in await asyncio.gather(*shift)}) == 100

    guesses = [accounts.login(f"agent{number}", "guessed it", "10.0.0.2") for number in range(100)]
    refused = await asyncio.gather(*guesses, return_exceptions=True)
    assert sum(isinstance(one, LoginRefusedError) for one in refused) == 30
    assert sum(isinstance(one, LoginThrottledError) for one in refused) == 70

    tries = [accounts.login("agent1", "guessed it", f"10.0.1.{number}") for number in range(20)]
    of_one = await asyncio.gather(*tries, return_exceptions=True)
    assert sum(isinstance(one, LoginThrottledError) for one in of_one) >= 9


async def test_one_who_gives_up_waiting_holds_up_nobody() -> None:
    memory, clock = Memory(), Clock()
    accounts = service(memory, clock)
    for number in range(40):
        await accounts.create_account(f"agent{number}", "long enough", Role.AGENT, str(number))
    shift = [
        asyncio.create_task(accounts.login(f"agent{number}", "long enough", "10.0.0.1"))
        for number in range(40)
    ]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    shift[30].cancel()
    done = await asyncio.gather(*shift, return_exceptions=True)
    assert sum(isinstance(one, BaseException) for one in done) == 1
