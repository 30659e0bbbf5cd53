"""API tokens: what is kept of them, what they open, for how long and how often."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from sqlalchemy import select

from agents.accounts.identity import Permission, Scope
from agents.accounts.throttle import RequestThrottle
from agents.accounts.tokens import TokenError, TokenService, TokenThrottledError
from gateway.storage.database import Database
from gateway.storage.tables import api_tokens
from gateway.storage.tokens import TokenRepository

NOW = 1_780_000_000.0
READ = (Scope.ORDERS_READ,)


class Clock:
    now = NOW

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def tokens(database: Database, clock: Clock) -> AsyncIterator[TokenService]:
    service = TokenService(TokenRepository(database), known_lines=["12345", "yiqilai"], clock=clock)
    yield service
    await service.settle()


async def test_what_is_stored_opens_nothing(database: Database, tokens: TokenService) -> None:
    made = await tokens.create("共享平台", [*READ, Scope.EXPORT_READ, *READ], by="guan", owner="信息中心")
    secret = made.text[21:]
    async with database.reading() as connection:
        (row,) = (await connection.execute(select(api_tokens))).all()
    assert len(secret) >= 40 and not any(secret in str(value) for value in row)
    assert (await tokens.create("b", READ, by="guan")).text != made.text
    who = await tokens.authenticate(made.text)
    assert who is not None and who.scopes == {Scope.ORDERS_READ, Scope.EXPORT_READ}
    assert who.username == f"token:{made.token.id}" and not any(who.may(one) for one in Permission)
    assert [one.name for one in await tokens.list_tokens()].count("共享平台") == 1


async def test_only_the_token_itself_opens(tokens: TokenService) -> None:
    made = (await tokens.create("a", READ, by="guan")).text
    other = (await tokens.create("b", READ, by="guan")).text
    swapped = made[:21] + other[21:]
    for wrong in ("", "x", made[:-1], made + "A", made.upper(), swapped, made.replace("hotline", "Hotline")):
        assert await tokens.authenticate(wrong) is None, wrong
    assert await tokens.authenticate(f"hotline_{'0' * 12}_{'A' * 43}") is None
    assert await tokens.authenticate(made) is not None


async def test_it_opens_until_it_expires_or_is_revoked(tokens: TokenService, clock: Clock) -> None:
    brief = await tokens.create("brief", READ, by="guan", expires_at=NOW + 60)
    lasting = await tokens.create("lasting", READ, by="guan")
    clock.now = NOW + 59
    assert await tokens.authenticate(brief.text) is not None
    clock.now = NOW + 60
    assert await tokens.authenticate(brief.text) is None
    assert await tokens.authenticate(lasting.text) is not None
    await tokens.revoke(lasting.token.id)
    assert await tokens.authenticate(lasting.text) is None
    with pytest.raises(TokenError, match="no token"):
        await tokens.revoke(lasting.token.id)
    told = {one.name: one for one in await tokens.list_tokens()}
    assert told["lasting"].revoked_at == NOW + 60 and told["brief"].revoked_at is None


async def test_when_it_was_last_used_is_written_once_a_minute(tokens: TokenService, clock: Clock) -> None:
    made = await tokens.create("a", READ, by="guan")
    seen = []
    for at in (NOW, NOW + 59, NOW + 60, NOW + 61):
        clock.now = at
        await tokens.authenticate(made.text)
        await tokens.settle()
        (token,) = await tokens.list_tokens()
        seen.append(token.last_used_at)
    assert seen == [NOW, NOW, NOW + 60, NOW + 60]


async def test_it_serves_its_lines_alone(tokens: TokenService) -> None:
    limited = await tokens.authenticate((await tokens.create("a", READ, by="g", lines=["yiqilai"])).text)
    free = await tokens.authenticate((await tokens.create("b", READ, by="g")).text)
    assert limited is not None and free is not None
    lines = ("yiqilai", "12345", None)
    assert [limited.serves(line) for line in lines] == [True, False, False]
    assert [free.serves(line) for line in lines] == [True, True, True]


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"name": ""}, "token_text"),
        ({"name": "x" * 65}, "token_text"),
        ({"name": "a\nb"}, "token_text"),
        ({"owner": " b"}, "token_text"),
        ({"scopes": ()}, "token_scopes"),
        ({"lines": ["12345", "nowhere"]}, "token_lines"),
        ({"expires_at": NOW}, "token_expiry"),
        ({"expires_at": float("nan")}, "token_expiry"),
        ({"expires_at": 1e300}, "token_expiry"),
    ],
)
async def test_what_cannot_be_is_refused(tokens: TokenService, more: dict[str, Any], code: str) -> None:
    asked: dict[str, Any] = {"name": "a", "scopes": READ, "by": "guan", **more}
    with pytest.raises(TokenError) as refused:
        await tokens.create(**asked)
    assert refused.value.message.code == code
    assert await tokens.list_tokens() == []


async def test_each_token_has_a_rate_of_its_own(database: Database, clock: Clock) -> None:
    tokens = TokenService(TokenRepository(database), per_minute=6, clock=clock)
    eager, calm = [(await tokens.create(name, READ, by="guan")).text for name in "ab"]
    for _ in range(3):
        assert await tokens.authenticate(eager) is not None
    with pytest.raises(TokenThrottledError) as refused:
        await tokens.authenticate(eager)
    assert refused.value.retry_after == pytest.approx(10.0)
    assert await tokens.authenticate(calm) is not None
    clock.now += 10
    assert await tokens.authenticate(eager) is not None
    await tokens.settle()


def test_over_a_minute_no_more_than_half_again_as_many_pass() -> None:
    throttle = RequestThrottle(60)
    passed = sum(throttle.attempt("a", at / 10) == 0 for at in range(600))
    assert passed == 30 + 59
