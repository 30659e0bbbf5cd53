"""Who asks, and whether they may."""

import re
from hmac import compare_digest

from fastapi import Request

from agents.accounts.service import Identity, Permission
from domain.calls import Call
from domain.orders import Order
from domain.visibility.policy import Visibility
from gateway.stream.server import COOKIE
from gateway.web.answers import Refused, found
from gateway.web.services import WebServices

CSRF_HEADER = "X-CSRF-Token"
HOST = re.compile(r"([A-Za-z0-9.-]+|\[[0-9a-fA-F:]+\])(:\d+)?")
"""A Host header that may be repeated in an answer: name, then port."""
LOOPBACK = frozenset({"127.0.0.1", "localhost", "[::1]"})


class Access:
    """The doors of the API. Each method raises `Refused` where the person may not pass."""

    def __init__(self, services: WebServices) -> None:
        self._services = services

    async def signed_in(self, request: Request) -> Identity:
        """Who asks; an unsafe method must bring the session's CSRF value. A FastAPI dependency."""
        token = request.cookies.get(COOKIE)
        who = await self._services.accounts.authenticate(token) if token else None
        if who is None:
            raise Refused(401, "not_signed_in")
        if request.method not in ("GET", "HEAD") and not compare_digest(
            request.headers.get(CSRF_HEADER, "").encode(), who.csrf.encode()
        ):
            raise Refused(403, "csrf", header=CSRF_HEADER)
        return who

    def visibility(self, who: Identity) -> Visibility:
        """What of callers this person may see whole."""
        return self._services.privacy.visibility(who.role)

    def need(self, who: Identity, permission: Permission) -> None:
        """403 unless the role grants it."""
        if not who.may(permission):
            raise Refused(403, "permission", permission=str(permission))

    async def own_call(self, call_id: str, who: Identity) -> Call:
        """The call if it is theirs to see: they talked on it, it rings at them, or they see all; or 404."""
        # What the screens show is ahead of the database by one batch.
        live = self._services.live_call(call_id)
        call = found(live or await self._services.calls.get_call(call_id), "call")
        return found(call if may_see(call, who) else None, "call")

    async def own_order(self, order_id: str, who: Identity) -> Order:
        """The order, if it is theirs to see and change; else 404."""
        order = found(await self._services.orders.get_order(order_id), "order")
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


def stream_url(services: WebServices, request: Request) -> str:
    """Where the browser that asks finds the stream."""
    if services.public_stream_url:
        return services.public_stream_url
    host = HOST.fullmatch(request.headers.get("host", ""))
    return f"ws://{host[1] if host else 'localhost'}:{services.stream_port() or 8601}/"
