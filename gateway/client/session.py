"""Sign in to the gateway."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import aiohttp
from msgspec import Struct

COOKIE = "hotline_session"


class SignInError(Exception):
    """Signing in failed; the message says why, and the fix."""


class Session(Struct, frozen=True):
    """A signed-in session. `token` and `csrf` are secrets."""

    url: str
    """Base URL of the gateway's HTTP API."""
    stream_url: str
    token: str
    csrf: str

    @property
    def cookie(self) -> str:
        """The Cookie header."""
        return f"{COOKIE}={self.token}"


@asynccontextmanager
async def sign_in(url: str, username: str, password: str) -> AsyncIterator[Session]:
    """Sign in; the session ends with the block. `url` is like `http://host:8600`.

    Raises:
        SignInError: signing in failed.
    """
    base = url.rstrip("/")
    if urlsplit(base).scheme not in ("http", "https"):
        raise SignInError(f"{url} is not a gateway address: write http://HOST:8600")
    async with aiohttp.ClientSession() as http:
        try:
            session = await _sign_in(http, base, username, password)
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise SignInError(f"no gateway answers at {base} ({error}): is `hotline run` running?") from None
        try:
            yield session
        finally:
            headers = {"Cookie": session.cookie, "X-CSRF-Token": session.csrf}
            try:
                async with http.delete(f"{base}/api/v1/session", headers=headers):
                    pass
            except (aiohttp.ClientError, TimeoutError):
                pass  # the session expires by itself


async def _sign_in(http: aiohttp.ClientSession, base: str, username: str, password: str) -> Session:
    account = {"username": username, "password": password}
    async with http.post(f"{base}/api/v1/session", json=account) as answer:
        if answer.status == 429:
            raise SignInError("too many attempts: wait a while")
        if answer.status != 200:
            raise SignInError(f"{username} cannot sign in at {base}: check username and password")
        told = await answer.json()
        token = answer.cookies[COOKIE].value
    return Session(base, told["stream"], token, told["csrf"])
