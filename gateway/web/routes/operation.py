"""For those who keep it running: health, readiness, metrics."""

import asyncio
from collections.abc import Sequence

from fastapi import APIRouter, Request, Response
from msgspec import Struct
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, generate_latest

from agents.accounts.identity import Identity, Permission, Scope
from gateway.health import Check, ReadinessCheck
from gateway.web.access import Access, from_this_machine
from gateway.web.answers import json
from gateway.web.contract import answers


class Alive(Struct, frozen=True):
    ok: bool


class Readiness(Struct, frozen=True):
    """Whether it can serve, and each thing that it needs for that."""

    ok: bool
    checks: list[Check]


READY = Readiness(True, [Check("database", True)])


def router(
    access: Access,
    checks: Sequence[ReadinessCheck],
    registry: CollectorRegistry = REGISTRY,
    *,
    check_timeout_s: float = 3.0,
) -> APIRouter:
    """`/healthz`, `/readyz` and `/metrics`."""
    routes = APIRouter()
    may_scrape = access.asking(Scope.METRICS_READ)

    @routes.get("/healthz")
    @answers(Alive, example=Alive(True))
    async def healthz() -> Response:
        """The process is alive."""
        return json(Alive(True))

    async def checked(check: ReadinessCheck) -> Check:
        try:
            async with asyncio.timeout(check_timeout_s):
                return await check()
        except Exception as error:
            name = getattr(check, "__name__", "check")
            return Check(name, ok=False, detail=f"{type(error).__name__}; see the log")

    @routes.get("/readyz")
    @answers(Readiness, example=READY, also=(503,))
    async def readyz() -> Response:
        """Whether it can serve; 503 where something is lacking."""
        results = await asyncio.gather(*(checked(check) for check in checks))
        ok = all(check.ok for check in results)
        return json(Readiness(ok, list(results)), 200 if ok else 503)

    @routes.get("/metrics")
    @answers(media=("text/plain",), door=Scope.METRICS_READ)
    async def metrics(request: Request) -> Response:
        """For Prometheus: open to programs on this machine, else to supervisors and tokens."""
        if not from_this_machine(request):
            who = await may_scrape(request)
            if isinstance(who, Identity):
                access.need(who, Permission.SEE_METRICS)
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)

    return routes
