"""What work-order systems tell of their orders. They are no people: a signature says who they are."""

from collections.abc import Mapping
from typing import Any, Protocol

from fastapi import APIRouter, Request, Response
from msgspec import Struct

from domain.order_status import OrderStatus, Step
from domain.refusals import refusal
from gateway.web import examples
from gateway.web.answers import json, problem
from gateway.web.contract import answers
from gateway.web.patience import within
from workorders.inbound.reading import StatusRefusedError
from workorders.inbound.service import Kept, SenderUnknownError


class StatusKept(Struct, frozen=True):
    """A status that was taken."""

    order: str
    """Our id of the order."""
    step: Step
    known: bool
    """It had been told before, and is one."""


REFUSES = {
    401: ("sender_unknown",),
    404: ("status_order_unknown",),
    409: ("status_replayed", "status_id_reused"),
    422: ("status_no_json", "status_no_order", "status_time", "status_unknown"),
}
TOLD = {"external_id": "GD-77", "status": "签收", "unit": "区住建局", "deadline": "2026-03-03T12:00:00+08:00"}
SIGNED: dict[str, Any] = {
    "parameters": [
        {"name": name, "in": "header", "required": True, "schema": {"type": "string"}, "description": about}
        for name, about in (
            ("webhook-id", "of the message: told twice, it is one"),
            ("webhook-timestamp", "POSIX seconds, at most five minutes old"),
            ("webhook-signature", "Standard Webhooks, with the endpoint's secret"),
        )
    ],
    "requestBody": {
        "description": "As `[workorders.inbound]` says; by default `order` or `external_id`, `status`, and"
        " optionally `at`, `deadline`, `unit`, `person`, `text`.",
        "required": True,
        "content": {
            "application/json": {"schema": {"type": "object"}, "examples": {"example": {"value": TOLD}}}
        },
    },
}


class Statuses(Protocol):
    """Port: takes what is told (`workorders.inbound.service.StatusService`)."""

    async def receive(
        self, endpoint: str, headers: Mapping[str, str], body: bytes
    ) -> tuple[Kept, OrderStatus]: ...


def router(statuses: Statuses) -> APIRouter:
    """`/inbound/{endpoint}/status`."""
    routes = APIRouter(prefix="/api/v1/inbound")

    @routes.post("/{endpoint}/status", openapi_extra=SIGNED)
    @answers(StatusKept, example=StatusKept(examples.ORDER_ID, Step.SIGNED, False), refuses=REFUSES)
    async def status(endpoint: str, request: Request) -> Response:
        """What a work-order system tells of one of its orders, signed."""
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
        return json(StatusKept(told.order_id, told.step, kept == "known"))

    return routes
