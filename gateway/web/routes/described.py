"""The API's own descriptions: OpenAPI of the HTTP part, AsyncAPI of the stream."""

from fastapi import APIRouter, Depends, Request, Response

from agents.accounts.identity import Principal
from gateway.stream import asyncapi
from gateway.web.access import Access
from gateway.web.answers import json


def router(access: Access) -> APIRouter:
    """`/openapi.json` and `/asyncapi.json`."""
    routes = APIRouter(prefix="/api/v1")
    who_is = Depends(access.asking(None))

    @routes.get("/asyncapi.json")
    async def described(who: Principal = who_is) -> Response:
        return json(asyncapi.document())

    @routes.get("/openapi.json")
    async def openapi(request: Request, who: Principal = who_is) -> Response:
        return json(request.app.openapi())

    return routes
