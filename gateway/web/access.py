"""Who asks, and whether they may."""

import re
from collections.abc import Awaitable, Callable
from hmac import compare_digest

from fastapi import Request

from agents.accounts.identity import Identity, Permission
from domain.calls import Call
from domain.orders import Order
from domain.visibility.policy import OPEN, Privacy, Visibility
from gateway.stream.server import COOKIE
from gateway.web.answers import Refused, found

CSRF_HEADER = "X-CSRF-Token"
HOST = re.compile(r"([A-Za-z0-9.-]+|\[[0-9a-fA-F:]+\])(:\d+)?")
"""A Host header that may be repeated in an answer: name, then port."""
LOOPBACK = frozenset({"127.0.0.1", "localhost", "[::1]"})


GetCall = Callable[[str], Awaitable[Call | None]]
"""The call of that id as it is now, going on or over."""
GetOrder = Callable[[str], Awaitable[Order | None]]


class Access:
    """The doors of the API. Each method raises `Refused` where the person may not pass."""

    def __init__(
        self,
        authenticate: Callable[[str], Awaitable[Identity | None]],
        get_call: GetCall,
        get_order: GetOrder,
        privacy: Privacy = OPEN,
    ) -> None:
        """`authenticate(token)` is `AccountService.authenticate`."""
        self._authenticate = authenticate
        self._get_call = get_call
        self._get_order = get_order
        self._privacy = privacy

    async def signed_in(self, request: Request) -> Identity:
        """Who asks; an unsafe method must bring the session's CSRF value. A FastAPI dependency."""
        token = request.cookies.get(COOKIE)
        who = await self._authenticate(token) if token else None
        if who is None:
            raise Refused(401, "not_signed_in")
        if request.method not in ("GET", "HEAD") and not compare_digest(
            request.headers.get(CSRF_HEADER, "").encode(), who.csrf.encode()
        ):
            raise Refused(403, "csrf", header=CSRF_HEADER)
        return who

    def visibility(self, who: Identity) -> Visibility:
        """What of callers this person may see whole."""
        return self._privacy.visibility(who.role)

    def need(self, who: Identity, permission: Permission) -> None:
        """403 unless the role grants it."""
        if not who.may(permission):
            raise Refused(403, "permission", permission=str(permission))

    async def own_call(self, call_id: str, who: Identity) -> Call:
        """The call if it is theirs to see: they talked on it, it rings at them, or they see all; or 404."""
        call = found(await self._get_call(call_id), "call")
        return found(call if may_see(call, who) else None, "call")

    async def own_order(self, order_id: str, who: Identity) -> Order:
        """The order, if it is theirs to see and change; else 404."""
        order = found(await self._get_order(order_id), "order")
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


def may_see(call: Call, who: Identity) -> bool:
    """Whether the call is that person's to see."""
    return who.may(Permission.SEE_ALL) or (who.agent_id is not None and concerns(call, who.agent_id))


def concerns(call: Call, agent: str) -> bool:
    """Whether the call is that agent's: talked on by them, or ringing at their phone."""
    return agent in call.agents or any(leg.agent == agent and leg.ended_at is None for leg in call.legs)
