"""For those who keep it running: health, readiness, metrics."""

import asyncio

from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from agents.accounts import Permission
from gateway.web.access import HOST, Access
from gateway.web.answers import json
from gateway.web.services import Check, ReadinessCheck, WebServices

LOOPBACK = frozenset({"127.0.0.1", "localhost", "[::1]"})


def router(services: WebServices, access: Access) -> APIRouter:
    """`/healthz`, `/readyz` and `/metrics`."""
    routes = APIRouter()

    @routes.get("/healthz")
    async def healthz() -> Response:
        return json({"ok": True})

    async def checked(check: ReadinessCheck) -> Check:
        try:
            async with asyncio.timeout(services.check_timeout_s):
                return await check()
        except Exception as error:
            name = getattr(check, "__name__", "check")
            return Check(name, ok=False, detail=f"{type(error).__name__}; see the log")

    @routes.get("/readyz")
    async def readyz() -> Response:
        checks = await asyncio.gather(*(checked(check) for check in services.checks))
        ok = all(check.ok for check in checks)
        return json({"ok": ok, "checks": checks}, 200 if ok else 503)

    @routes.get("/metrics")
    async def metrics(request: Request) -> Response:
        # A proxy on this machine is a loopback peer too: its header gives it away.
        # So does the name a rebound page in a browser asked for.
        host = HOST.fullmatch(request.headers.get("host", ""))
        peer = request.client.host if request.client else ""
        near = peer in ("127.0.0.1", "::1") and host is not None and host[1] in LOOPBACK
        if not near or any(h in request.headers for h in ("forwarded", "x-forwarded-for", "via")):
            access.need(await access.signed_in(request), Permission.SEE_METRICS)
        return Response(generate_latest(services.registry), media_type=CONTENT_TYPE_LATEST)

    return routes
