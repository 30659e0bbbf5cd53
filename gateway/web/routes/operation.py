"""For those who keep it running: health, readiness, metrics."""

import asyncio

from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from agents.accounts.service import Permission
from gateway.web.access import Access, from_this_machine
from gateway.web.answers import json
from gateway.web.services import Check, ReadinessCheck, WebServices


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
        if not from_this_machine(request):
            access.need(await access.signed_in(request), Permission.SEE_METRICS)
        return Response(generate_latest(services.registry), media_type=CONTENT_TYPE_LATEST)

    return routes
