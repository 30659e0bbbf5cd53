"""What the login page may know before anybody has signed in."""

from collections.abc import Sequence

from fastapi import APIRouter, Request, Response

from gateway.web.access import from_this_machine
from gateway.web.answers import json


def router(demo_accounts: Sequence[tuple[str, str]] = ()) -> APIRouter:
    """`/welcome`: open to everybody. `demo_accounts`: (username, password)."""
    routes = APIRouter(prefix="/api/v1/welcome")

    @routes.get("")
    async def welcome(request: Request) -> Response:
        """The demo's accounts with their passwords: for browsers on the gateway's own machine only."""
        shown = demo_accounts if from_this_machine(request) else ()
        return json({"demo_accounts": [{"username": name, "password": secret} for name, secret in shown]})

    return routes
