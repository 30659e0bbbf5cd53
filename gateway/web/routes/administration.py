"""The deployment, the doctor, the accounts; and where today's matters are."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Response
from msgspec import structs
from pydantic import BaseModel, SecretStr

from agents.accounts.service import Account, AccountError, Identity, Permission, Role
from domain.visibility.redact import redact
from gateway.web.access import Access
from gateway.web.answers import Refused, found, json
from gateway.web.auditing import note
from gateway.web.services import WebServices


class NewAccount(BaseModel):
    username: str
    password: SecretStr
    role: Role
    agent_id: str | None = None


class NewPassword(BaseModel):
    password: SecretStr


class Disabled(BaseModel):
    disabled: bool


def router(services: WebServices, access: Access) -> APIRouter:
    """`/admin/…` and `/figures/places`."""
    routes = APIRouter(prefix="/api/v1")
    who_is = Depends(access.signed_in)

    @asynccontextmanager
    async def noted(who: Identity, name: str, told: dict[str, Any]) -> AsyncIterator[None]:
        """What is done to an account: in the audit, done or refused."""
        try:
            yield
        except AccountError as error:
            await note(services, who, name, told, error.message)
            raise Refused(422, error.message.code, **error.message.params) from error
        await note(services, who, name, told)

    @routes.get("/admin/overview")
    async def overview(who: Identity = who_is) -> Response:
        access.need(who, Permission.SEE_DEPLOYMENT)
        now = await found(services.administration, "administration").overview()
        endpoints = [redact(one, access.visibility(who)) for one in now.endpoints]
        return json(structs.replace(now, endpoints=endpoints))

    @routes.post("/admin/doctor")
    async def doctor(who: Identity = who_is) -> Response:
        access.need(who, Permission.SEE_DEPLOYMENT)
        await note(services, who, "doctor.run", {})
        return json({"findings": await found(services.administration, "administration").doctor()})

    @routes.get("/figures/places")
    async def places(
        who: Identity = who_is, hours: Annotated[float, Query(gt=0, le=24 * 92)] = 24.0
    ) -> Response:
        access.need(who, Permission.SEE_ALL)
        since = time.time() - hours * 3600
        return json(await found(services.administration, "administration").places(since))

    @routes.get("/admin/accounts")
    async def accounts(who: Identity = who_is) -> Response:
        access.need(who, Permission.MANAGE_ACCOUNTS)
        return json([_shown(account) for account in await services.accounts.list_accounts()])

    @routes.post("/admin/accounts")
    async def create(body: NewAccount, who: Identity = who_is) -> Response:
        access.need(who, Permission.MANAGE_ACCOUNTS)
        told = {"username": body.username, "role": body.role.value, "agent_id": body.agent_id}
        async with noted(who, "account.create", told):
            made = await services.accounts.create_account(
                body.username, body.password.get_secret_value(), body.role, body.agent_id, replace=False
            )
        return json(_shown(made), 201)

    @routes.post("/admin/accounts/{username}/password")
    async def password(username: str, body: NewPassword, who: Identity = who_is) -> Response:
        access.need(who, Permission.MANAGE_ACCOUNTS)
        async with noted(who, "account.password", {"username": username}):
            await services.accounts.set_password(username, body.password.get_secret_value())
        return Response(status_code=204)

    @routes.post("/admin/accounts/{username}/disabled")
    async def disabled(username: str, body: Disabled, who: Identity = who_is) -> Response:
        access.need(who, Permission.MANAGE_ACCOUNTS)
        told = {"username": username, "disabled": body.disabled}
        if username == who.username and body.disabled:
            raise Refused(409, "account_own")
        async with noted(who, "account.disabled", told):
            await services.accounts.disable(username, disabled=body.disabled)
        return Response(status_code=204)

    return routes


def _shown(account: Account) -> dict[str, Any]:
    """An account without its password's hash."""
    return {
        "username": account.username,
        "role": account.role.value,
        "agent_id": account.agent_id,
        "disabled": account.disabled,
    }
