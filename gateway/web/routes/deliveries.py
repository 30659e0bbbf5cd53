"""The outbox: what went to the work-order systems, and what did not."""

from collections.abc import Sequence
from typing import Protocol

from fastapi import APIRouter, Depends, Response

from agents.accounts.identity import Identity, Permission
from domain.deliveries import DeliveryView
from domain.visibility.redact import redact
from gateway.web.access import Access
from gateway.web.answers import found, json
from gateway.web.contract import answers
from gateway.web.routes import Limit


class Deliveries(Protocol):
    """Port: the outbox."""

    async def list_deliveries(self, *, state: str | None = None, limit: int = 50) -> Sequence[DeliveryView]:
        """Newest first."""
        ...

    async def retry_delivery(self, delivery_id: str) -> DeliveryView | None:
        """Make it due now, dead or waiting; one already delivered is left alone. `None`: no such."""
        ...


def router(access: Access, outbox: Deliveries) -> APIRouter:
    """`/deliveries`."""
    routes = APIRouter(prefix="/api/v1/deliveries")
    who_is = Depends(access.signed_in)

    @routes.get("")
    @answers(list[DeliveryView])
    async def deliveries(who: Identity = who_is, state: str | None = None, limit: Limit = 50) -> Response:
        access.need(who, Permission.SEE_DELIVERIES)
        rows = await outbox.list_deliveries(state=state, limit=limit)
        return json([redact(one, access.visibility(who)) for one in rows])

    @routes.post("/{delivery_id}/retry")
    @answers(DeliveryView)
    async def retry(delivery_id: str, who: Identity = who_is) -> Response:
        access.need(who, Permission.RETRY_DELIVERIES)
        again = found(await outbox.retry_delivery(delivery_id), "delivery")
        return json(redact(again, access.visibility(who)))

    return routes
