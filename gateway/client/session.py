"""Signing in."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import aiohttp
from msgspec import Struct

COOKIE = "hotline_session"


class SignInError(Exception):
    """The text says why, and the fix."""


class Session(Struct, frozen=True):
    """Who one is to the gateway. `token` and `csrf` are secrets."""

    url: str
    """Of the gateway's HTTP API."""
    stream_url: str
    token: str
    csrf: str

    @property
    def cookie(self) -> str:
        """The Cookie header."""
        return f"{COOKIE}={self.token}"


@asynccontextmanager
async def sign_in(url: str, username: str, password: str) -> AsyncIterator[Session]:
    """A session that is ended with the block. `url`: `http://host:8600`.

    Raises:
        SignInError: it is not to be had.
    """
    base = url.rstrip("/")
    if urlsplit(base).scheme not in ("http", "https"):
        raise SignInError(f"{url} is no address of a gateway: write http://HOST:8600")
    async with aiohttp.ClientSession() as http:
        try:
            session = await _sign_in(http, base, username, password)
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise SignInError(f"no gateway answers at {base} ({error}): is `hotline run` up?") from None
        try:
            yield session
        finally:
            headers = {"Cookie": session.cookie, "X-CSRF-Token": session.csrf}
            try:
                async with http.delete(f"{base}/api/v1/session", headers=headers):
                    pass
            except (aiohttp.ClientError, TimeoutError):
                pass  # the session ends by itself


async def _sign_in(http: aiohttp.ClientSession, base: str, username: str, password: str) -> Session:
    account = {"username": username, "password": password}
    async with http.post(f"{base}/api/v1/session", json=account) as answer:
        if answer.status == 429:
            raise SignInError("too many tries: wait a while")
        if answer.status != 200:
            raise SignInError(f"{username} is not let in at {base}: check the user's name and the password")
        told = await answer.json()
        token = answer.cookies[COOKIE].value
    return Session(base, told["stream"], token, told["csrf"])
