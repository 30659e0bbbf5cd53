"""The browser phone of the person who asks, and of nobody else."""

import structlog
from fastapi import APIRouter, Depends, Response

from agents.accounts.service import Identity
from domain.refusals import refusal
from gateway.web.access import Access
from gateway.web.answers import json, problem
from gateway.web.services import SoftphoneUnavailableError, WebServices

log = structlog.get_logger(__name__)


def router(services: WebServices, access: Access) -> APIRouter:
    """`/softphone`."""
    routes = APIRouter(prefix="/api/v1/softphone")
    who_is = Depends(access.signed_in)

    @routes.get("")
    async def softphone(who: Identity = who_is) -> Response:
        phones = services.softphones
        try:
            phone = await phones.of(who.agent_id) if phones else None
        except SoftphoneUnavailableError as error:
            log.error("softphone_unavailable", agent=who.agent_id, reason=str(error))
            return problem(503, refusal("softphone_unavailable"))
        if phone is None:
            return problem(404, refusal("softphone_none"))
        return json(phone)

    return routes
