"""The API's own descriptions: OpenAPI of the HTTP part, AsyncAPI of the stream."""

from typing import Any

from fastapi import APIRouter, Depends, Request, Response

from agents.accounts.identity import Principal
from gateway.stream import asyncapi
from gateway.web.access import Access
from gateway.web.answers import json
from gateway.web.contract import answers


def router(access: Access) -> APIRouter:
    """`/openapi.json` and `/asyncapi.json`."""
    routes = APIRouter(prefix="/api/v1")
    who_is = Depends(access.asking(None))

    @routes.get("/asyncapi.json")
    @answers(dict[str, Any], example={"asyncapi": "3.0.0"})
    async def described(who: Principal = who_is) -> Response:
        return json(asyncapi.document())

    @routes.get("/openapi.json")
    @answers(dict[str, Any], example={"openapi": "3.1.0"})
    async def openapi(request: Request, who: Principal = who_is) -> Response:
        return json(request.app.openapi())

    return routes
