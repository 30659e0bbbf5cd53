"""Signing in and out; what the page needs to know of the person and the configuration."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from time import time
from typing import Any

from fastapi import APIRouter, Depends, Request, Response
from msgspec import Struct
from pydantic import BaseModel, ConfigDict

from agents.accounts.identity import PERMISSIONS, Identity, Permission, Role
from agents.accounts.service import AccountService, LoginRefusedError, LoginThrottledError
from domain.lines import Line
from domain.outcomes import OUTCOMES, OutcomeKind
from domain.phones import PhoneKind
from domain.refusals import refusal
from domain.visibility.policy import WHOLE, Visibility
from gateway.stream.server import COOKIE
from gateway.web import examples
from gateway.web.access import Access
from gateway.web.answers import json, problem
from gateway.web.contract import answers
from gateway.web.options import WebOptions
from workorders.forms import FORMS, Field


class Me(Struct, frozen=True):
    """Who is signed in, and what the configuration says that every page needs. Instants are POSIX seconds."""

    username: str
    role: Role
    name: str
    agent: str | None
    permissions: list[Permission]
    csrf: str
    """What unsafe requests repeat as `X-CSRF-Token`."""
    expires_at: float
    stream: str
    """Address of the websocket stream."""
    version: str
    timezone: str
    whole: Visibility
    """What of callers is shown whole."""
    lines: list[Line]
    field_labels: dict[str, str]
    forms: dict[str, list[Field]]
    outcomes: list[OutcomeKind]
    pause_reasons: list[str]
    desk_login: bool
    phones: list[PhoneKind]


ME = Me(
    "wangfang", Role.AGENT, "王芳", "1001", [], "c3JmLXZhbHVl", examples.AT + 43200, "ws://localhost:8601/",
    "0.3.0", "Asia/Shanghai", WHOLE, [examples.LINE], {"title": "标题"}, {"general": [FORMS["general"][0]]},
    list(OUTCOMES), ["小休"], False, [PhoneKind.DESK],
)  # fmt: skip


class Login(BaseModel):
    model_config = ConfigDict(
        json_schema_extra={"examples": [{"username": "wangfang", "password": "a long password"}]}
    )

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

    def me(request: Request, who: Identity) -> Me:
        return Me(
            username=who.username,
            role=who.role,
            name=profile.agent_names.get(who.agent_id or "", who.username),
            agent=who.agent_id,
            permissions=sorted(PERMISSIONS[who.role]),
            csrf=who.csrf,
            expires_at=who.expires_at,
            stream=options.stream_url(request),
            version=options.version,
            timezone=profile.timezone,
            whole=access.visibility(who),
            lines=list(profile.lines),
            field_labels=dict(profile.field_labels),
            forms={form: list(fields) for form, fields in profile.forms.items()},
            outcomes=list(profile.outcomes),
            pause_reasons=list(profile.pause_reasons),
            desk_login=profile.desk_login,
            phones=list(profile.phones_of(who.agent_id)),
        )

    @routes.post("")
    @answers(Me, example=ME, refuses={401: ("login_wrong",), 415: ("not_json",), 429: ("login_throttled",)})
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
    @answers(Me, example=ME)
    async def session(request: Request, who: Identity = who_is) -> Response:
        return json(me(request, who))

    @routes.delete("")
    @answers(status=204)
    async def logout(request: Request, who: Identity = who_is) -> Response:
        await accounts.logout(request.cookies[COOKIE])
        response = Response(status_code=204)
        response.delete_cookie(COOKIE)
        return response

    return routes
