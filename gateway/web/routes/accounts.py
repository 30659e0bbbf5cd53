"""Accounts, as administrators manage them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Response
from msgspec import Struct
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from agents.accounts.identity import Account, Identity, Permission, Role
from agents.accounts.service import MAX_PASSWORD, MIN_PASSWORD, USERNAME, AccountError, AccountService
from gateway.web.access import Access
from gateway.web.answers import Refused, json
from gateway.web.auditing import Note
from gateway.web.contract import answers


class AccountView(Struct, frozen=True):
    """An account without its password's hash."""

    username: str
    role: Role
    agent_id: str | None
    disabled: bool


def told(**schema: str | int) -> Any:
    """What the document says of a value that the service itself checks, with words of its own."""
    return Field(json_schema_extra=dict(schema))


Password = Annotated[SecretStr, told(minLength=MIN_PASSWORD, maxLength=MAX_PASSWORD)]


class NewAccount(BaseModel):
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"username": "lina", "password": "a long password", "role": "agent", "agent_id": "1002"}
            ]
        }
    )

    username: Annotated[str, told(pattern=f"^{USERNAME.pattern}$")]
    password: Password
    role: Role
    agent_id: str | None = None


class NewPassword(BaseModel):
    model_config = ConfigDict(json_schema_extra={"examples": [{"password": "another long password"}]})

    password: Password


class Disabled(BaseModel):
    model_config = ConfigDict(json_schema_extra={"examples": [{"disabled": True}]})

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
    @answers(list[AccountView], example=[AccountView("wangfang", Role.AGENT, "1001", False)])
    async def list_accounts(who: Identity = who_is) -> Response:
        access.need(who, Permission.MANAGE_ACCOUNTS)
        return json([_without_hash(account) for account in await accounts.list_accounts()])

    @routes.post("")
    @answers(
        AccountView,
        201,
        example=AccountView("wangfang", Role.AGENT, "1001", False),
        refuses={422: ("account_name", "account_taken", "password_length")},
    )
    async def create(body: NewAccount, who: Identity = who_is) -> Response:
        access.need(who, Permission.MANAGE_ACCOUNTS)
        told = {"username": body.username, "role": body.role.value, "agent_id": body.agent_id}
        async with noted(who, "account.create", told):
            made = await accounts.create_account(
                body.username, body.password.get_secret_value(), body.role, body.agent_id, replace=False
            )
        return json(_without_hash(made), 201)

    @routes.post("/{username}/password")
    @answers(status=204, refuses={422: ("account_unknown", "password_length")})
    async def password(username: str, body: NewPassword, who: Identity = who_is) -> Response:
        access.need(who, Permission.MANAGE_ACCOUNTS)
        async with noted(who, "account.password", {"username": username}):
            await accounts.set_password(username, body.password.get_secret_value())
        return Response(status_code=204)

    @routes.post("/{username}/disabled")
    @answers(status=204, refuses={409: ("account_own",), 422: ("account_unknown",)})
    async def disabled(username: str, body: Disabled, who: Identity = who_is) -> Response:
        access.need(who, Permission.MANAGE_ACCOUNTS)
        told = {"username": username, "disabled": body.disabled}
        if username == who.username and body.disabled:
            raise Refused(409, "account_own")
        async with noted(who, "account.disabled", told):
            await accounts.disable(username, disabled=body.disabled)
        return Response(status_code=204)

    return routes


def _without_hash(account: Account) -> AccountView:
    return AccountView(account.username, account.role, account.agent_id, account.disabled)
