"""Signing in and out; what the page needs to know of the person and the house."""

from time import time
from typing import Any

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel

from agents.accounts.service import PERMISSIONS, Identity, LoginRefusedError, LoginThrottledError
from domain.refusals import refusal
from gateway.stream.server import COOKIE
from gateway.web.access import Access, stream_url
from gateway.web.answers import json, problem
from gateway.web.services import WebServices


class Login(BaseModel):
    username: str
    password: str


def router(services: WebServices, access: Access) -> APIRouter:
    """`/session`."""
    routes = APIRouter(prefix="/api/v1/session")
    who_is = Depends(access.signed_in)

    def me(request: Request, who: Identity) -> dict[str, Any]:
        return {
            "username": who.username,
            "role": who.role,
            "name": services.agent_names.get(who.agent_id or "", who.username),
            "agent": who.agent_id,
            "permissions": sorted(PERMISSIONS[who.role]),
            "csrf": who.csrf,
            "expires_at": who.expires_at,
            "stream": stream_url(services, request),
            "version": services.version,
            "timezone": services.timezone,
            "whole": access.visibility(who),
            "lines": services.lines,
            "field_labels": services.field_labels,
            "forms": services.forms,
            "pause_reasons": services.pause_reasons,
            "desk_login": services.desk_login,
            "phones": services.softphones.kinds(who.agent_id) if services.softphones else (),
        }

    @routes.post("")
    async def login(request: Request, body: Login) -> Response:
        if not request.headers.get("content-type", "").startswith("application/json"):
            return problem(415, refusal("not_json"))
        address = request.client.host if request.client else ""
        try:
            done = await services.accounts.login(body.username, body.password, address)
        except LoginThrottledError as error:
            response = problem(429, error.message)
            response.headers["Retry-After"] = str(int(error.retry_after) + 1)
            return response
        except LoginRefusedError as error:
            return problem(401, error.message)
        response = json(me(request, done.identity))
        response.set_cookie(
            COOKIE,
            done.token,
            max_age=int(done.identity.expires_at - time()),
            httponly=True,
            samesite="strict",
            secure=services.secure_cookies,
        )
        return response

    @routes.get("")
    async def session(request: Request, who: Identity = who_is) -> Response:
        return json(me(request, who))

    @routes.delete("")
    async def logout(request: Request, who: Identity = who_is) -> Response:
        await services.accounts.logout(request.cookies[COOKIE])
        response = Response(status_code=204)
        response.delete_cookie(COOKIE)
        return response

    return routes
