"""Who asks, and whether they may."""

import re
from collections.abc import Awaitable, Callable
from hmac import compare_digest

from fastapi import Request

from agents.accounts.identity import Identity, Permission, Principal, Scope, SystemIdentity
from agents.accounts.tokens import TokenThrottledError
from domain.calls import Call
from domain.orders import Order
from domain.visibility.policy import OPEN, Privacy, Visibility
from gateway.stream.server import COOKIE
from gateway.web.answers import Refused, found

CSRF_HEADER = "X-CSRF-Token"
HOST = re.compile(r"([A-Za-z0-9.-]+|\[[0-9a-fA-F:]+\])(:\d+)?")
"""A Host header that may be repeated in an answer: name, then port."""
LOOPBACK = frozenset({"127.0.0.1", "localhost", "[::1]"})
CHALLENGE = {"WWW-Authenticate": 'Bearer realm="hotline"'}
"""What a refused token is told beside the problem (RFC 6750)."""

GetCall = Callable[[str], Awaitable[Call | None]]
"""The call of that id as it is now, going on or over."""
GetOrder = Callable[[str], Awaitable[Order | None]]


AskPerson = Callable[[str], Awaitable[Identity | None]]
"""Who is signed in with that session token: `AccountService.authenticate`."""
AskSystem = Callable[[str], Awaitable[SystemIdentity | None]]
"""Which system holds that API token: `TokenService.authenticate`."""


async def no_systems(_: str) -> None:
    """No API token opens anything."""


class SystemDoor:
    """A FastAPI dependency: who asks, a person who is signed in or a system whose token has `scope`."""

    def __init__(self, access: "Access", scope: Scope | None) -> None:
        self.access = access
        self.scope = scope

    async def __call__(self, request: Request) -> Principal:
        """See `Access.signed_in`; a token without the scope is refused with 403."""
        token = bearer_of(request)
        return await (
            self.access.signed_in(request) if token is None else self.access.system(token, self.scope)
        )


class Access:
    """The doors of the API. Each method raises `Refused` where whoever asks may not pass."""

    def __init__(
        self,
        authenticate: AskPerson,
        get_call: GetCall,
        get_order: GetOrder,
        privacy: Privacy = OPEN,
        systems: AskSystem = no_systems,
    ) -> None:
        self._authenticate = authenticate
        self._systems = systems
        self._get_call = get_call
        self._get_order = get_order
        self._privacy = privacy

    async def signed_in(self, request: Request) -> Identity:
        """Which person asks; an unsafe method must bring the session's CSRF value. A FastAPI dependency."""
        if bearer_of(request) is not None:
            # Said whether it is valid or not: what is behind this door is nobody's to probe.
            raise Refused(403, "token_door")
        token = request.cookies.get(COOKIE)
        who = await self._authenticate(token) if token else None
        if who is None:
            raise Refused(401, "not_signed_in")
        if request.method not in ("GET", "HEAD") and not compare_digest(
            request.headers.get(CSRF_HEADER, "").encode(), who.csrf.encode()
        ):
            raise Refused(403, "csrf", header=CSRF_HEADER)
        return who

    def asking(self, scope: Scope | None) -> SystemDoor:
        """The door that is open to people and to systems whose token has that scope. A FastAPI dependency.

        `None`: whatever scopes the token has.
        """
        return SystemDoor(self, scope)

    async def system(self, token: str, scope: Scope | None) -> SystemIdentity:
        """Which system asks with that token, if it has the scope."""
        try:
            who = await self._systems(token)
        except TokenThrottledError as error:
            after = {"Retry-After": str(int(error.retry_after) + 1)}
            raise Refused(429, error.message.code, **error.message.params).with_headers(after) from error
        if who is None:
            raise Refused(401, "token_wrong").with_headers(CHALLENGE)
        if scope is not None and scope not in who.scopes:
            raise Refused(403, "token_scope", scope=str(scope))
        return who

    def visibility(self, who: Principal) -> Visibility:
        """What of callers whoever asks may see whole."""
        return self._privacy.visibility(who.role)

    def need(self, who: Principal, permission: Permission) -> None:
        """403 unless the role grants it."""
        if not who.may(permission):
            raise Refused(403, "permission", permission=str(permission))

    async def own_call(self, call_id: str, who: Principal) -> Call:
        """The call if it is theirs to see: they talked on it, it rings at them, or they see all; or 404."""
        call = found(await self._get_call(call_id), "call")
        return found(call if may_see(call, who) else None, "call")

    async def own_order(self, order_id: str, who: Principal) -> Order:
        """The order, if it is theirs to see and change; else 404."""
        order = found(await self._get_order(order_id), "order")
        if isinstance(who, SystemIdentity):
            return found(order if who.serves(order.line) else None, "order")
        if not who.may(Permission.EDIT_ALL_ORDERS):
            await self.own_call(order.call_id, who)
        return order


def from_this_machine(request: Request) -> bool:
    """Whether a program on the gateway's own machine asks, and no proxy for somebody else.

    A proxy on this machine is a loopback peer too: its header gives it away. So does the name that a rebound
    page in a browser asked for.
    """
    host = HOST.fullmatch(request.headers.get("host", ""))
    peer = request.client.host if request.client else ""
    near = peer in ("127.0.0.1", "::1") and host is not None and host[1] in LOOPBACK
    return near and not any(one in request.headers for one in ("forwarded", "x-forwarded-for", "via"))


def bearer_of(request: Request) -> str | None:
    """The token of an `Authorization: Bearer` header. Another scheme is a proxy's, and none of ours."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None


def may_see(call: Call, who: Principal) -> bool:
    """Whether the call is theirs to see."""
    if isinstance(who, SystemIdentity):
        return who.serves(call.line)
    return who.may(Permission.SEE_ALL) or (who.agent_id is not None and concerns(call, who.agent_id))


def concerns(call: Call, agent: str) -> bool:
    """Whether the call is that agent's: talked on by them, or ringing at their phone."""
    return agent in call.agents or any(leg.agent == agent and leg.ended_at is None for leg in call.legs)
