"""Accounts, as administrators manage them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import APIRouter, Depends, Response
from pydantic import BaseModel, SecretStr

from agents.accounts.identity import Account, Identity, Permission, Role
from agents.accounts.service import AccountError, AccountService
from gateway.web.access import Access
from gateway.web.answers import Refused, json
from gateway.web.auditing import Note


class NewAccount(BaseModel):
    username: str
    password: SecretStr
    role: Role
    agent_id: str | None = None


class NewPassword(BaseModel):
    password: SecretStr


class Disabled(BaseModel):
    disabled: bool


def router(access: Access, accounts: AccountService, note: Note) -> APIRouter:
    """`/admin/accounts`."""
    routes = APIRouter(prefix="/api/v1/admin/accounts")
    who_is = Depends(access.signed_in)

    @asynccontextmanager
    async def noted(who: Identity, name: str, told: dict[str, Any]) -> AsyncIterator[None]:
        """What is done to an account: in the audit, done or refused."""
        try:
            yield
        except AccountError as error:
            await note(who, name, told, error.message)
            raise Refused(422, error.message.code, **error.message.params) from error
        await note(who, name, told)

    @routes.get("")
    async def list_accounts(who: Identity = who_is) -> Response:
        access.need(who, Permission.MANAGE_ACCOUNTS)
        return json([_without_hash(account) for account in await accounts.list_accounts()])

    @routes.post("")
    async def create(body: NewAccount, who: Identity = who_is) -> Response:
        access.need(who, Permission.MANAGE_ACCOUNTS)
        told = {"username": body.username, "role": body.role.value, "agent_id": body.agent_id}
        async with noted(who, "account.create", told):
            made = await accounts.create_account(
                body.username, body.password.get_secret_value(), body.role, body.agent_id, replace=False
            )
        return json(_without_hash(made), 201)

    @routes.post("/{username}/password")
    async def password(username: str, body: NewPassword, who: Identity = who_is) -> Response:
        access.need(who, Permission.MANAGE_ACCOUNTS)
        async with noted(who, "account.password", {"username": username}):
            await accounts.set_password(username, body.password.get_secret_value())
        return Response(status_code=204)

    @routes.post("/{username}/disabled")
    async def disabled(username: str, body: Disabled, who: Identity = who_is) -> Response:
        access.need(who, Permission.MANAGE_ACCOUNTS)
        told = {"username": username, "disabled": body.disabled}
        if username == who.username and body.disabled:
            raise Refused(409, "account_own")
        async with noted(who, "account.disabled", told):
            await accounts.disable(username, disabled=body.disabled)
        return Response(status_code=204)

    return routes


def _without_hash(account: Account) -> dict[str, Any]:
    """An account without its password's hash."""
    return {
        "username": account.username,
        "role": account.role.value,
        "agent_id": account.agent_id,
        "disabled": account.disabled,
    }
