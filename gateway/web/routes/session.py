"""Signing in and out; what the page needs to know of the person and the configuration."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from time import time
from typing import Any

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel

from agents.accounts.identity import PERMISSIONS, Identity
from agents.accounts.service import AccountService, LoginRefusedError, LoginThrottledError
from domain.lines import Line
from domain.outcomes import OUTCOMES, OutcomeKind
from domain.phones import PhoneKind
from domain.refusals import refusal
from gateway.stream.server import COOKIE
from gateway.web.access import Access
from gateway.web.answers import json, problem
from gateway.web.options import WebOptions


class Login(BaseModel):
    username: str
    password: str


@dataclass(frozen=True)
class DeskProfile:
    """What the configuration says that every page needs."""

    timezone: str = "Asia/Shanghai"
    """Of what belongs to no line."""
    lines: Sequence[Line] = ()
    agent_names: Mapping[str, str] = field(default_factory=dict)
    field_labels: Mapping[str, str] = field(default_factory=dict)
    """Order field name → what people call it, in the order in which a form shows them."""
    forms: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    """Form → its fields (`workorders.forms.Field`), as an agent fills them in."""
    outcomes: Sequence[OutcomeKind] = OUTCOMES
    """What can become of a call, in order of the keys."""
    pause_reasons: Sequence[str] = ()
    desk_login: bool = False
    """Agents log in to their queues at the desk; otherwise the configuration puts them in."""
    phones_of: Callable[[str | None], Sequence[PhoneKind]] = lambda _: ()
    """The phones an agent has: `browser`, `desk`, or both."""


def router(access: Access, accounts: AccountService, profile: DeskProfile, options: WebOptions) -> APIRouter:
    """`/session`."""
    routes = APIRouter(prefix="/api/v1/session")
    who_is = Depends(access.signed_in)

    def me(request: Request, who: Identity) -> dict[str, Any]:
        return {
            "username": who.username,
            "role": who.role,
            "name": profile.agent_names.get(who.agent_id or "", who.username),
            "agent": who.agent_id,
            "permissions": sorted(PERMISSIONS[who.role]),
            "csrf": who.csrf,
            "expires_at": who.expires_at,
            "stream": options.stream_url(request),
            "version": options.version,
            "timezone": profile.timezone,
            "whole": access.visibility(who),
            "lines": profile.lines,
            "field_labels": profile.field_labels,
            "forms": profile.forms,
            "outcomes": profile.outcomes,
            "pause_reasons": profile.pause_reasons,
            "desk_login": profile.desk_login,
            "phones": profile.phones_of(who.agent_id),
        }

    @routes.post("")
    async def login(request: Request, body: Login) -> Response:
        if not request.headers.get("content-type", "").startswith("application/json"):
            return problem(415, refusal("not_json"))
        address = request.client.host if request.client else ""
        try:
            done = await accounts.login(body.username, body.password, address)
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
            secure=options.secure_cookies,
        )
        return response

    @routes.get("")
    async def session(request: Request, who: Identity = who_is) -> Response:
        return json(me(request, who))

    @routes.delete("")
    async def logout(request: Request, who: Identity = who_is) -> Response:
        await accounts.logout(request.cookies[COOKIE])
        response = Response(status_code=204)
        response.delete_cookie(COOKIE)
        return response

    return routes
