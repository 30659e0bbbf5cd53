"""Matters that are no calls, sent by other systems."""

import hashlib
import time
import uuid
from collections.abc import Mapping
from typing import Annotated, Any, Protocol

import msgspec
from fastapi import APIRouter, Depends, Header, Response
from msgspec import Struct
from pydantic import BaseModel, ConfigDict, Field

from agents.accounts.identity import Permission, Principal, Scope, SystemIdentity
from domain.intake import Matter, MatterSource
from domain.orders import Order, OrderState, RelatedOrder
from domain.visibility.redact import redact
from gateway.web import examples
from gateway.web.access import Access
from gateway.web.answers import Refused, json
from gateway.web.auditing import Note
from gateway.web.contract import answers
from gateway.web.patience import within

MAX_TEXT = 10_000
NAMESPACE = uuid.UUID("2f1d7b0a-51f5-5c0e-9d5a-12345a11ce00")
Key = Annotated[
    str,
    Header(
        alias="Idempotency-Key",
        pattern=r"^[\x21-\x7e]{1,255}$",
        description="the sender's own id of the matter: sent again with it, it is one",
    ),
]


class NewMatter(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "source": "app",
                    "line": "12345",
                    "text": "人民路的路灯坏了三天，晚上很黑，希望尽快修好。",
                    "name": "王先生",
                    "number": "13800138000",
                    "fields": {"town": "城东街道"},
                }
            ]
        },
    )

    source: MatterSource
    line: Annotated[str, Field(max_length=64, description="id of the line that deals with it")]
    text: Annotated[
        str, Field(min_length=1, max_length=MAX_TEXT, description="the matter in the citizen's words")
    ]
    name: Annotated[str, Field(max_length=100, description="of who sent it")] = ""
    number: Annotated[str, Field(max_length=32, description="to call back")] = ""
    fields: Annotated[
        dict[str, str | bool | list[str]],
        Field(max_length=50, description="what the sender knows: field name → value; it is not overwritten"),
    ] = {}


class MatterTaken(Struct, frozen=True):
    """The order that was made of a matter."""

    order: str
    """Its id."""
    line: str
    source: MatterSource
    state: OrderState
    known: bool
    """It had been sent before."""
    related: list[RelatedOrder]
    """Earlier orders of the same number, or of the same place and category."""


TAKEN = MatterTaken(examples.ORDER_ID, "12345", MatterSource.APP, OrderState.SUBMITTED, False, [])
REFUSES = {
    409: ("intake_key_reused",),
    422: (
        "line_unknown",
        "field_choice",
        "field_code",
        "field_list",
        "field_text",
        "field_unknown",
        "field_yes_no",
    ),
}


class Intake(Protocol):
    """Port: takes matters (`workorders.intake.IntakeService`)."""

    async def take(
        self, matter: Matter, digest: str, fields: Mapping[str, Any]
    ) -> tuple[str, Order | None]: ...


def router(access: Access, intake: Intake, note: Note) -> APIRouter:
    """`/intake`."""
    routes = APIRouter(prefix="/api/v1/intake")
    sender = Depends(access.asking(Scope.INTAKE_WRITE))

    @routes.post("")
    @answers(MatterTaken, 201, also=(200,), example=TAKEN, refuses=REFUSES)
    async def take(body: NewMatter, key: Key, who: Principal = sender) -> Response:
        """Make a matter an order, filled from its text. 200: it had been sent before."""
        if not isinstance(who, SystemIdentity):
            access.need(who, Permission.EDIT_ALL_ORDERS)
        if not who.serves(body.line):
            raise Refused(422, "line_unknown", line=body.line)
        matter = Matter(
            id=str(uuid.uuid5(NAMESPACE, f"{who.username}/{key}")),
            source=body.source,
            line=body.line,
            text=body.text,
            at=time.time(),
            name=body.name,
            number=body.number,
        )
        digest = hashlib.sha256(msgspec.json.encode(body.model_dump(mode="json"), order="sorted")).hexdigest()
        kept, order = await within(intake.take(matter, digest, body.fields))
        if order is None:
            raise Refused(409, "intake_key_reused")
        await note(who, "intake.take", {"order": order.id, "line": order.line, "source": order.source})
        shown = redact(order, access.visibility(who))
        answer = MatterTaken(
            order.id,
            order.line,
            MatterSource(order.source),
            order.state,
            kept == "known",
            list(shown.related),
        )
        return json(answer, 201 if kept == "new" else 200)

    return routes
