"""Whom a call can be passed to."""

from fastapi import APIRouter, Depends, Response

from agents.accounts.service import Identity
from gateway.web.access import Access
from gateway.web.answers import found, json
from gateway.web.services import WebServices


def router(services: WebServices, access: Access) -> APIRouter:
    """`/directory`."""
    routes = APIRouter(prefix="/api/v1/directory")
    who_is = Depends(access.signed_in)

    @routes.get("")
    async def directory(who: Identity = who_is) -> Response:
        return json(found(services.directory, "directory").now())

    return routes
