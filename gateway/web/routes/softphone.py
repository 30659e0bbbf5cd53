"""The browser phone of the person who asks, and of nobody else."""

from typing import Protocol

import structlog
from fastapi import APIRouter, Depends, Response

from agents.accounts.identity import Identity
from domain.refusals import refusal
from domain.softphones import Softphone, SoftphoneUnavailableError
from gateway.web.access import Access
from gateway.web.answers import json, problem
from gateway.web.contract import answers

log = structlog.get_logger(__name__)


class Softphones(Protocol):
    """Port: browser phones."""

    async def of(self, agent_id: str | None) -> Softphone | None:
        """What that agent's browser registers with; `None`: no agent, or a desk phone.

        Raises:
            SoftphoneUnavailableError: its password, or the TURN servers' secret, is not to be had.
        """
        ...


def router(access: Access, phones: Softphones) -> APIRouter:
    """`/softphone`."""
    routes = APIRouter(prefix="/api/v1/softphone")
    who_is = Depends(access.signed_in)

    @routes.get("")
    @answers(Softphone, refuses={404: ("softphone_none",), 503: ("softphone_unavailable",)})
    async def softphone(who: Identity = who_is) -> Response:
        try:
            phone = await phones.of(who.agent_id)
        except SoftphoneUnavailableError as error:
            log.error("softphone_unavailable", agent=who.agent_id, reason=str(error))
            return problem(503, refusal("softphone_unavailable"))
        if phone is None:
            return problem(404, refusal("softphone_none"))
        return json(phone)

    return routes
