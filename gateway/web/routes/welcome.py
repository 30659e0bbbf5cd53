"""What the login page may know before anybody has signed in."""

from fastapi import APIRouter, Request, Response

from gateway.web.access import Access, from_this_machine
from gateway.web.answers import json
from gateway.web.services import WebServices


def router(services: WebServices, access: Access) -> APIRouter:
    """`/welcome`: open to everybody."""
    routes = APIRouter(prefix="/api/v1/welcome")

    @routes.get("")
    async def welcome(request: Request) -> Response:
        """The demo's accounts with their passwords: for browsers on the gateway's own machine only."""
        shown = services.demo_accounts if from_this_machine(request) else ()
        return json({"demo_accounts": [{"username": name, "password": secret} for name, secret in shown]})

    return routes
