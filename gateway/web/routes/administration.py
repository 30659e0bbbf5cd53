"""The deployment and the doctor; and what places the day's orders are about."""

import time
from collections.abc import Sequence
from typing import Annotated, Any, Protocol

from fastapi import APIRouter, Depends, Query, Response
from msgspec import Struct, structs

from agents.accounts.identity import Identity, Permission
from domain.deployment import Overview, Place
from domain.messages import Message
from domain.visibility.redact import redact
from gateway.web.access import Access
from gateway.web.answers import json
from gateway.web.auditing import Note
from gateway.web.contract import answers


class Deployment(Protocol):
    """Port: the deployment, as administrators see it."""

    async def overview(self) -> Overview: ...

    async def doctor(self) -> Sequence[Any]:
        """Findings (`what`, `ok`, `detail`, `fix`, `warning`) on everything; takes seconds."""
        ...

    async def places(self, since: float) -> Sequence[Place]:
        """Where orders made from `since` on are about, the most frequent first."""
        ...


class FindingView(Struct, frozen=True):
    """One finding of the doctor."""

    what: Message
    ok: bool
    detail: Message
    fix: Message | None = None
    """What to do where it is not ok."""
    warning: bool = False


class Findings(Struct, frozen=True):
    """What the doctor found."""

    findings: list[FindingView]


FOUND = Findings(
    [FindingView(Message("database", {}, "database"), True, Message("database_new", {}, "fine"))]
)


def router(access: Access, deployment: Deployment, note: Note) -> APIRouter:
    """`/admin/overview`, `/admin/doctor` and `/figures/places`."""
    routes = APIRouter(prefix="/api/v1")
    who_is = Depends(access.signed_in)

    @routes.get("/admin/overview")
    @answers(Overview)
    async def overview(who: Identity = who_is) -> Response:
        access.need(who, Permission.SEE_DEPLOYMENT)
        now = await deployment.overview()
        endpoints = [redact(one, access.visibility(who)) for one in now.endpoints]
        return json(structs.replace(now, endpoints=endpoints))

    @routes.post("/admin/doctor")
    @answers(Findings, example=FOUND)
    async def doctor(who: Identity = who_is) -> Response:
        access.need(who, Permission.SEE_DEPLOYMENT)
        await note(who, "doctor.run", {})
        return json({"findings": await deployment.doctor()})

    @routes.get("/figures/places")
    @answers(list[Place])
    async def places(
        who: Identity = who_is, hours: Annotated[float, Query(gt=0, le=24 * 92)] = 24.0
    ) -> Response:
        access.need(who, Permission.SEE_ALL)
        since = time.time() - hours * 3600
        return json(await deployment.places(since))

    return routes
