"""Who did what."""

from collections.abc import Sequence
from typing import Annotated, Protocol

from fastapi import APIRouter, Depends, Query, Response

from agents.accounts.identity import Identity, Permission
from domain.audit import AuditEntry
from domain.visibility.redact import redact
from gateway.web.access import Access
from gateway.web.answers import json
from gateway.web.contract import answers
from gateway.web.history_query import AuditQuery
from gateway.web.routes import Limit

MAX_SEQ = 2**63 - 1


class AuditReader(Protocol):
    """Port: the audit, read."""

    async def list_audit(
        self,
        *,
        username: str | None = None,
        since: float | None = None,
        until: float | None = None,
        before: int | None = None,
        limit: int = 100,
    ) -> Sequence[AuditEntry]:
        """Newest first; only those with `seq < before` and `since <= at < until`."""
        ...


def router(access: Access, audit: AuditReader) -> APIRouter:
    """`/audit`."""
    routes = APIRouter(prefix="/api/v1/audit")
    who_is = Depends(access.signed_in)

    @routes.get("")
    @answers(list[AuditEntry])
    async def entries(
        query: Annotated[AuditQuery, Depends()],
        who: Identity = who_is,
        before: Annotated[int | None, Query(ge=0, le=MAX_SEQ)] = None,
        limit: Limit = 100,
    ) -> Response:
        """Newest first; `before`: the `seq` of the last entry one has."""
        access.need(who, Permission.SEE_AUDIT)
        wanted = query.filter
        found = await audit.list_audit(
            username=wanted.username, since=wanted.since, until=wanted.until, before=before, limit=limit
        )
        return json([redact(one, access.visibility(who)) for one in found])

    return routes
