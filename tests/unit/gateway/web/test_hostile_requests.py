"""Requests with text that no database can store are refused with the place, on a real server."""

import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from fastapi import APIRouter, Response
from pydantic import BaseModel
from yarl import URL

from gateway.web.answers import json as answer
from gateway.web.app import create_app
from gateway.web.hostile import MAX_TARGET
from gateway.web.options import WebOptions
from gateway.web.serve import serve_web


class Body(BaseModel):
    fields: dict[str, Any]


@pytest.fixture
async def url() -> AsyncIterator[str]:
    routes = APIRouter(prefix="/api/v1")

    @routes.patch("/orders/{order_id}")
    async def patch(order_id: str, body: Body) -> Response:
        return answer({"order": order_id, "fields": body.fields})

    @routes.get("/orders/{order_id}")
    async def get(order_id: str, q: str = "") -> Response:
        return answer({"order": order_id, "q": q})

    async with serve_web(create_app([routes], WebOptions()), "127.0.0.1", 0) as port:
        yield f"http://127.0.0.1:{port}/api/v1/orders"


@pytest.mark.parametrize(
    ("body", "place"),
    [
        ('{"fields": {"title": "\\ud83d"}}', "body.fields.title"),
        ('{"fields": {"title": "a\\u0000b"}}', "body.fields.title"),
        ('{"fields": {"keywords": ["ok", "\\udc00"]}}', "body.fields.keywords.1"),
        ('{"fields": {"\\u0000": "x"}}', "body.fields (a name)"),
        ('{"fields": ' + "[" * 500 + "]" * 500 + "}", "body.fields"),
        (b'{"fields": {"title": "\xff"}}', "body"),
        (b"\x1e\x80rj", "body"),
        ('{"fields": ' + "[" * 30_000 + "]" * 30_000 + "}", "body"),
    ],
)
async def test_a_body_that_cannot_be_stored_is_422_with_its_place(
    url: str, body: str | bytes, place: str
) -> None:
    headers = {"content-type": "application/json"}
    async with (
        aiohttp.ClientSession() as http,
        http.patch(f"{url}/o1", data=body, headers=headers) as told,
    ):
        problem = await told.json(content_type=None)
    assert (told.status, problem["reason"]) == (422, "text_unstorable")
    assert problem["params"]["place"].startswith(place)


@pytest.mark.parametrize("target", ["o1?q=%00", "o1?q=%ff", "o1?q=%ed%a0%80", "a%00b", "%ed%a0%80"])
async def test_a_path_or_query_that_cannot_be_stored_is_422(url: str, target: str) -> None:
    async with aiohttp.ClientSession() as http, http.get(URL(f"{url}/{target}", encoded=True)) as told:
        assert (told.status, json.loads(await told.text())["reason"]) == (422, "text_unstorable")


async def test_a_target_that_is_too_long_is_refused(url: str) -> None:
    async with aiohttp.ClientSession() as http, http.get(f"{url}/o1?q={'x' * MAX_TARGET}") as told:
        assert told.status == 414


async def test_ordinary_text_passes_whole(url: str) -> None:
    fields = {"title": "路灯坏了😀𠮷", "wish": "a\nb\tc"}
    async with aiohttp.ClientSession() as http:
        async with http.patch(f"{url}/o1", json={"fields": fields}) as told:
            assert (await told.json())["fields"] == fields
        async with http.get(f"{url}/路灯", params={"q": "a b+c"}) as told:
            assert await told.json() == {"order": "路灯", "q": "a b+c"}
