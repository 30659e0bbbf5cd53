"""Work orders: read, filled in, sent off."""

from fastapi import APIRouter, Depends, Response
from pydantic import BaseModel

from agents.accounts import Identity
from gateway.web.access import Access
from gateway.web.answers import found, json
from gateway.web.services import WebServices


class Fields(BaseModel):
    fields: dict[str, str | bool | list[str]]
    revision: int | None = None


def router(services: WebServices, access: Access) -> APIRouter:
    """`/orders`."""
    routes = APIRouter(prefix="/api/v1/orders")
    who_is = Depends(access.signed_in)

    @routes.get("/{order_id}")
    async def order(order_id: str, who: Identity = who_is) -> Response:
        return json(await access.own_order(order_id, who))

    @routes.patch("/{order_id}/fields")
    async def fields(order_id: str, body: Fields, who: Identity = who_is) -> Response:
        await access.own_order(order_id, who)
        changed = await services.orders.set_fields(
            order_id, body.fields, revision=body.revision, by=who.username
        )
        return json(found(changed, "order"))

    @routes.post("/{order_id}/submit")
    async def submit(order_id: str, who: Identity = who_is) -> Response:
        await access.own_order(order_id, who)
        return json(found(await services.orders.submit(order_id, by=who.username), "order"))

    return routes
