"""Who did what."""

from typing import Annotated

from fastapi import APIRouter, Depends, Response

from agents.accounts.service import Identity, Permission
from domain.visibility.redact import redact
from gateway.web.access import Access
from gateway.web.answers import found, json
from gateway.web.history_query import AuditQuery
from gateway.web.routes import Limit
from gateway.web.services import WebServices


def router(services: WebServices, access: Access) -> APIRouter:
    """`/audit`."""
    routes = APIRouter(prefix="/api/v1/audit")
    who_is = Depends(access.signed_in)

    @routes.get("")
    async def audit(
        query: Annotated[AuditQuery, Depends()],
        who: Identity = who_is,
        before: int | None = None,
        limit: Limit = 100,
    ) -> Response:
        """Newest first; `before`: the `seq` of the last entry one has."""
        access.need(who, Permission.SEE_AUDIT)
        log_of = found(services.audit, "audit")
        wanted = query.filter
        entries = await log_of.list_audit(
            username=wanted.username, since=wanted.since, until=wanted.until, before=before, limit=limit
        )
        return json([redact(one, access.visibility(who)) for one in entries])

    return routes
