"""The browser app's files, served: what may be kept, what is a page, what is refused."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import aiohttp
import pytest
from yarl import URL

from agents.accounts.service import AccountService
from gateway.stream.state import LiveView
from gateway.web.serve import serve_web
from tests.support.web import WebServices, create_app

DEMO = (("banzhang", "shown-in-demos"),)


@pytest.fixture
def dist(tmp_path: Path) -> Path:
    """A built app."""
    built = tmp_path / "dist"
    (built / "assets").mkdir(parents=True)
    (built / ".vite").mkdir()
    (built / "index.html").write_text("<!doctype html><title>app</title>")
    (built / "favicon.svg").write_text("<svg/>")
    (built / "assets" / "main-abc.js").write_text("export {}")
    (built / ".vite" / "manifest.json").write_text("{}")
    (tmp_path / "secret.txt").write_text("not yours")
    return built


@asynccontextmanager
async def served(store: Any, dist: Path) -> AsyncIterator[Any]:
    none = cast(Any, None)
    services = WebServices(AccountService(store, store), LiveView(), none, none, none, demo_accounts=DEMO)
    async with (
        serve_web(create_app(services, dist), "127.0.0.1", 0) as port,
        aiohttp.ClientSession(f"http://127.0.0.1:{port}") as http,
    ):
        yield http


@pytest.mark.parametrize("path", ["/", "/desk", "/wall", "/history/calls/main-1767.1"])
async def test_every_page_is_the_app(store: Any, dist: Path, path: str) -> None:
    async with served(store, dist) as http, http.get(path) as answer:
        assert answer.status == 200
        assert "<title>app" in await answer.text()
        assert answer.headers["Cache-Control"] == "no-cache"
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'self'" in policy and "unsafe" not in policy


async def test_what_carries_a_hash_is_kept(store: Any, dist: Path) -> None:
    async with served(store, dist) as http:
        async with http.get("/assets/main-abc.js") as answer:
            assert answer.status == 200
            assert "javascript" in answer.headers["Content-Type"]
            assert "immutable" in answer.headers["Cache-Control"]
        async with http.get("/assets/main-gone.js") as answer:
            assert answer.status == 404
            assert answer.headers["Cache-Control"] == "no-store"
        async with http.get("/favicon.svg") as answer:
            assert answer.status == 200
            assert answer.headers["Cache-Control"] == "no-cache"


@pytest.mark.parametrize(
    "path",
    [
        "/.vite/manifest.json",
        "/..%2fsecret.txt",
        "/assets/..%2f..%2fsecret.txt",
        "/x.js",
        "/api/v1/nothing",
        "/api/x",
    ],
)
async def test_nothing_else_is_served(store: Any, dist: Path, path: str) -> None:

    async with served(store, dist) as http, http.get(URL(path, encoded=True)) as answer:
        assert answer.status == 404
        assert answer.content_type == "application/problem+json"
        assert "not yours" not in await answer.text()


async def test_an_app_that_was_not_built_says_how_to_fix_it(store: Any, tmp_path: Path) -> None:
    async with served(store, tmp_path / "none") as http:
        async with http.get("/desk") as answer:
            assert answer.status == 503
            assert "make web" in (await answer.json())["detail"]
        async with http.get("/healthz") as answer:
            assert answer.status == 200


@pytest.mark.parametrize(
    ("headers", "shown"),
    [({}, True), ({"X-Forwarded-For": "10.0.0.9"}, False), ({"Host": "rebound.example"}, False)],
)
async def test_demo_accounts_are_shown_on_this_machine_only(
    store: Any, dist: Path, headers: dict[str, str], shown: bool
) -> None:
    async with served(store, dist) as http, http.get("/api/v1/welcome", headers=headers) as answer:
        told = (await answer.json())["demo_accounts"]
        assert told == ([{"username": "banzhang", "password": "shown-in-demos"}] if shown else [])
