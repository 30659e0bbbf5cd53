"""Ticket systems by their documented REST interfaces, as far as the presets use them: real HTTP, in memory.

They know no idempotency keys: what is created twice is there twice.
"""

import re
from typing import Any

from aiohttp import web


class Tickets:
    """What both have in common. `lose`: the numbers of writing requests whose reply is lost, from 0."""

    def __init__(self, *, lose: tuple[int, ...] = ()) -> None:
        self.tickets: list[dict[str, Any]] = []
        """From number 1 on; `notes`: what was said on each."""
        self.writes: list[tuple[str, str]] = []
        self.headers: list[dict[str, str]] = []
        self._lose = lose

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer one request, or break the connection once it is done."""
        self.headers.append({name.lower(): value for name, value in request.headers.items()})
        answer = await self.answer(request)
        if request.method != "GET":
            self.writes.append((request.method, request.path))
            if len(self.writes) - 1 in self._lose:
                assert request.transport is not None
                request.transport.abort()
        return answer

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """What the system does."""
        raise NotImplementedError

    def ticket(self, number: str) -> dict[str, Any]:
        """The ticket of that number."""
        return self.tickets[int(number) - 1]


class RequestTracker(Tickets):
    """Request Tracker 5, REST 2."""

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """`POST /ticket`, `POST /ticket/N/comment`, `PUT /ticket/N`, `GET /tickets?query=`."""
        if request.headers.get("Authorization") != "token let me in":
            return web.json_response({"message": "Unauthorized"}, status=401)
        path = request.path.removeprefix("/orders/REST/2.0")
        if request.method == "GET" and path == "/tickets":
            return web.json_response({"items": self._search(request.query["query"])})
        body = await request.json()
        if (request.method, path) == ("POST", "/ticket"):
            assert {"Queue", "Subject", "Content", "ContentType"} <= set(body)
            self.tickets.append({"Status": "new", "notes": [], **body})
            return web.json_response({"type": "ticket", "id": str(len(self.tickets))}, status=201)
        if match := re.fullmatch(r"/ticket/(\d+)/comment", path):
            assert body["ContentType"] == "text/plain"
            self.ticket(match[1])["notes"].append(body["Content"])
            self.ticket(match[1])["CustomFields"].update(body["CustomFields"])
            return web.json_response(["Comments added"], status=201)
        match = re.fullmatch(r"/ticket/(\d+)", path)
        assert match is not None and request.method == "PUT", path
        self.ticket(match[1]).update(body)
        return web.json_response([f"Ticket {match[1]}: changed"])

    def _search(self, query: str) -> list[dict[str, str]]:
        match = re.fullmatch(r"(?:id = (\d+) AND )?'CF\.\{Hotline order\}' (=|LIKE) '([^']+)'", query)
        assert match is not None, query
        number, operator, wanted = match.groups()
        return [
            {"type": "ticket", "id": str(index)}
            for index, one in enumerate(self.tickets, 1)
            for value in [one["CustomFields"]["Hotline order"]]
            if (number is None or number == str(index))
            and (wanted in value if operator == "LIKE" else wanted == value)
        ]


class Zammad(Tickets):
    """Zammad, REST."""

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Tickets, their articles, and the search."""
        if request.headers.get("Authorization") != "Token token=let me in":
            return web.json_response({"error": "Invalid token!"}, status=401)
        path = request.path.removeprefix("/orders/api/v1")
        if path == "/tickets/search":
            return web.json_response(self._search(request.query["query"]))
        if match := re.fullmatch(r"/ticket_articles/by_ticket/(\d+)", path):
            return web.json_response(self.ticket(match[1])["notes"])
        body = await request.json()
        if (request.method, path) == ("POST", "/tickets"):
            assert {"title", "group", "customer_id", "article"} <= set(body)
            article = {"id": 1, **body.pop("article")}
            self.tickets.append({**body, "notes": [article]})
            return web.json_response({"id": len(self.tickets), "number": "22001", **body}, status=201)
        if (request.method, path) == ("POST", "/ticket_articles"):
            assert isinstance(body["ticket_id"], int)
            notes = self.ticket(str(body["ticket_id"]))["notes"]
            notes.append({"id": len(notes) + 1, **body})
            return web.json_response({"id": len(notes)}, status=201)
        match = re.fullmatch(r"/tickets/(\d+)", path)
        assert match is not None and request.method == "PUT", path
        self.ticket(match[1]).update(body)
        return web.json_response({"id": int(match[1])})

    def _search(self, query: str) -> list[dict[str, Any]]:
        match = re.fullmatch(r'hotline_order:"([^"]+)"', query)
        assert match is not None, query
        found = [
            (index, one) for index, one in enumerate(self.tickets, 1) if one["hotline_order"] == match[1]
        ]
        return [{"id": index, "title": one["title"]} for index, one in found]
