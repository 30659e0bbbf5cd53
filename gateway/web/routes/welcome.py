"""What the login page may know before anybody has signed in."""

from collections.abc import Sequence

from fastapi import APIRouter, Request, Response
from msgspec import Struct

from gateway.web.access import from_this_machine
from gateway.web.answers import json
from gateway.web.contract import answers


class DemoAccount(Struct, frozen=True):
    username: str
    password: str


class Welcome(Struct, frozen=True):
    """What the login page may know."""

    demo_accounts: list[DemoAccount]


def router(demo_accounts: Sequence[tuple[str, str]] = ()) -> APIRouter:
    """`/welcome`: open to everybody. `demo_accounts`: (username, password)."""
    routes = APIRouter(prefix="/api/v1/welcome")

    @routes.get("")
    @answers(Welcome, example=Welcome([DemoAccount("banzhang", "demo-banzhang")]))
    async def welcome(request: Request) -> Response:
        """The demo's accounts with their passwords: for browsers on the gateway's own machine only."""
        shown = demo_accounts if from_this_machine(request) else ()
        return json(Welcome([DemoAccount(name, secret) for name, secret in shown]))

    return routes
