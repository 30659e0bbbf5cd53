"""What work-order systems tell of their orders. They are no people: a signature says who they are."""

from collections.abc import Mapping
from typing import Any, Protocol

from fastapi import APIRouter, Request, Response

from domain.order_status import OrderStatus
from domain.refusals import refusal
from gateway.web.answers import json, problem
from gateway.web.patience import within
from workorders.inbound.reading import StatusRefusedError
from workorders.inbound.service import Kept, SenderUnknownError


class Statuses(Protocol):
    """Port: takes what is told (`workorders.inbound.service.StatusService`)."""

    async def receive(
        self, endpoint: str, headers: Mapping[str, str], body: bytes
    ) -> tuple[Kept, OrderStatus]: ...


def router(statuses: Statuses) -> APIRouter:
    """`/inbound/{endpoint}/status`."""
    routes = APIRouter(prefix="/api/v1/inbound")

    @routes.post("/{endpoint}/status")
    async def status(endpoint: str, request: Request) -> Response:
        try:
            kept, told = await within(statuses.receive(endpoint, request.headers, await request.body()))
        except SenderUnknownError:
            return problem(401, refusal("sender_unknown"))
        except StatusRefusedError as error:
            return problem(422, error.message)
        except LookupError as error:
            return problem(404, refusal("status_order_unknown", order=str(error.args[0])[:80]))
        if kept == "replayed":
            return problem(409, refusal("status_replayed"))
        if kept == "reused":
            return problem(409, refusal("status_id_reused"))
        answer: dict[str, Any] = {"order": told.order_id, "step": told.step, "known": kept == "known"}
        return json(answer)

    return routes
