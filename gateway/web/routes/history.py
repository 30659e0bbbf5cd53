"""Calls and orders of the past, by what was said, written, and when."""

from typing import Annotated, Protocol

from fastapi import APIRouter, Depends, Query, Response
from msgspec import Struct

from agents.accounts.identity import Principal, Scope
from domain.history import (
    CallFilter,
    CallSummary,
    Key,
    OrderFilter,
    OrderOfCall,
    OrderSummary,
    Page,
    order_summary_of,
)
from domain.visibility.policy import WHOLE, Visibility
from gateway.web import examples
from gateway.web.access import Access
from gateway.web.answers import json
from gateway.web.contract import answers
from gateway.web.history_query import (
    CallQuery,
    Cursor,
    OrderQuery,
    cursor_of,
    key_of,
    lines_of,
    restricted_to,
    searched,
)

PageSize = Annotated[int, Query(ge=1, le=200)]


class CallPage(Struct, frozen=True):
    """A page of calls; `next` is `before` of the next page, `null` at the end."""

    items: list[CallSummary]
    next: str | None


class OrderPage(Struct, frozen=True):
    """A page of orders; `next` as of calls."""

    items: list[OrderSummary]
    next: str | None


CALLS = CallPage([examples.EXAMPLES[CallSummary]], f"{examples.AT}~{examples.CALL_ID}")
ORDERS = OrderPage([examples.EXAMPLES[OrderSummary]], None)
REFUSES = {403: ("digits_hidden", "words_hidden"), 422: ("cursor",)}


class History(Protocol):
    """Port: calls and orders of the past, as `visibility` allows, newest first.

    `before` is the `next` of the page before.
    """

    async def find_calls(
        self, wanted: CallFilter, before: Key | None, limit: int, *, visibility: Visibility = WHOLE
    ) -> Page[CallSummary]: ...

    async def find_orders(
        self, wanted: OrderFilter, before: Key | None, limit: int, *, visibility: Visibility = WHOLE
    ) -> Page[OrderOfCall]: ...


def router(access: Access, store: History) -> APIRouter:
    """`/history`."""
    routes = APIRouter(prefix="/api/v1/history", tags=["history"])
    who_is = Depends(access.asking(Scope.HISTORY_READ))

    @routes.get("/calls")
    @answers(CallPage, example=CALLS, refuses=REFUSES)
    async def calls(
        query: Annotated[CallQuery, Depends()],
        who: Principal = who_is,
        before: Cursor = None,
        limit: PageSize = 50,
    ) -> Response:
        """Calls, newest first: `{items: [CallSummary], next}`; an agent's own, a supervisor's all.

        Where `next` is not null there may be more: ask again with it as `before`. A page may be short or
        empty and still have a `next`: the search was stopped to answer in time.
        """
        visibility = access.visibility(who)
        wanted = searched(query.filter(restricted_to(who), lines_of(who)), visibility, spoken=True)
        page = await store.find_calls(wanted, key_of(before), limit, visibility=visibility)
        return json(CallPage(list(page.items), cursor_of(page.next)))

    @routes.get("/orders")
    @answers(OrderPage, example=ORDERS, refuses=REFUSES)
    async def orders(
        query: Annotated[OrderQuery, Depends()],
        who: Principal = who_is,
        before: Cursor = None,
        limit: PageSize = 50,
    ) -> Response:
        """Orders, newest first: `{items: [OrderSummary], next}`; pages as of calls."""
        visibility = access.visibility(who)
        wanted = searched(query.filter(restricted_to(who), lines_of(who)), visibility)
        page = await store.find_orders(wanted, key_of(before), limit, visibility=visibility)
        items = [order_summary_of(one) for one in page.items]
        return json(OrderPage(items, cursor_of(page.next)))

    return routes
