"""The outbox: what went to the work-order systems, and what did not."""

from fastapi import APIRouter, Depends, Response

from agents.accounts.service import Identity, Permission
from domain.visibility.redact import redact
from gateway.web.access import Access
from gateway.web.answers import found, json
from gateway.web.routes import Limit
from gateway.web.services import WebServices


def router(services: WebServices, access: Access) -> APIRouter:
    """`/deliveries`."""
    routes = APIRouter(prefix="/api/v1/deliveries")
    who_is = Depends(access.signed_in)

    @routes.get("")
    async def deliveries(who: Identity = who_is, state: str | None = None, limit: Limit = 50) -> Response:
        access.need(who, Permission.SEE_DELIVERIES)
        rows = await services.deliveries.list_deliveries(state=state, limit=limit)
        return json([redact(one, access.visibility(who)) for one in rows])

    @routes.post("/{delivery_id}/retry")
    async def retry(delivery_id: str, who: Identity = who_is) -> Response:
        access.need(who, Permission.RETRY_DELIVERIES)
        again = found(await services.deliveries.retry_delivery(delivery_id), "delivery")
        return json(redact(again, access.visibility(who)))

    return routes
