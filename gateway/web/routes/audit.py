"""Who did what."""

from fastapi import APIRouter, Depends, Response

from agents.accounts import Identity, Permission
from gateway.web.access import Access
from gateway.web.answers import found, json
from gateway.web.routes import Limit
from gateway.web.services import WebServices


def router(services: WebServices, access: Access) -> APIRouter:
    """`/audit`."""
    routes = APIRouter(prefix="/api/v1/audit")
    who_is = Depends(access.signed_in)

    @routes.get("")
    async def audit(
        who: Identity = who_is, username: str | None = None, before: int | None = None, limit: Limit = 100
    ) -> Response:
        access.need(who, Permission.SEE_AUDIT)
        log_of = found(services.audit, "audit")
        return json(await log_of.list_audit(username=username, before=before, limit=limit))

    return routes
