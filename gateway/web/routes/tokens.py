"""API tokens of other systems, as administrators manage them."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Response
from msgspec import Struct, structs
from pydantic import BaseModel, ConfigDict, Field

from agents.accounts.identity import ApiToken, Identity, Permission, Scope
from agents.accounts.tokens import TokenError, TokenService
from gateway.web import examples
from gateway.web.access import Access
from gateway.web.answers import Refused, json
from gateway.web.auditing import Note
from gateway.web.contract import answers


class TokenView(Struct, frozen=True):
    """A token without anything of its secret. Instants are POSIX seconds."""

    id: str
    name: str
    owner: str
    scopes: tuple[Scope, ...]
    lines: tuple[str, ...]
    created_at: float
    created_by: str
    expires_at: float | None
    revoked_at: float | None
    last_used_at: float | None


class NewTokenView(TokenView, frozen=True, kw_only=True):
    """A token that was just made."""

    token: str
    """Its text: told this once."""


EXAMPLE: dict[str, Any] = {
    "id": examples.TOKEN_ID,
    "name": "共享平台",
    "owner": "信息中心",
    "scopes": (Scope.EXPORT_READ,),
    "lines": (),
    "created_at": examples.AT,
    "created_by": "guanli",
    "expires_at": examples.AT + 365 * 86400,
    "revoked_at": None,
    "last_used_at": None,
}


class NewToken(BaseModel):
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"name": "共享平台", "owner": "信息中心", "scopes": ["export:read"], "lines": []}]
        }
    )

    name: str
    scopes: Annotated[list[Scope], Field(max_length=100)]
    owner: str = ""
    lines: Annotated[list[str], Field(max_length=100)] = []
    expires_at: Annotated[float | None, Field(allow_inf_nan=False)] = None


def router(access: Access, tokens: TokenService, note: Note) -> APIRouter:
    """`/admin/tokens`."""
    routes = APIRouter(prefix="/api/v1/admin/tokens")
    who_is = Depends(access.signed_in)

    async def refused(
        who: Identity, name: str, told: dict[str, Any], error: TokenError, status: int
    ) -> Refused:
        await note(who, name, told, error.message)
        return Refused(status, error.message.code, **error.message.params)

    @routes.get("")
    @answers(list[TokenView], example=[TokenView(**EXAMPLE)])
    async def list_tokens(who: Identity = who_is) -> Response:
        """All tokens, the newest first: what they open, never the tokens themselves."""
        access.need(who, Permission.MANAGE_ACCOUNTS)
        return json([without_secret(one) for one in await tokens.list_tokens()])

    @routes.post("")
    @answers(
        NewTokenView,
        201,
        example=NewTokenView(token=f"hotline_{examples.TOKEN_ID}_{'x' * 43}", **EXAMPLE),
        refuses={422: ("token_text", "token_scopes", "token_lines", "token_expiry")},
    )
    async def create(body: NewToken, who: Identity = who_is) -> Response:
        """Make a token. The answer is the only one that holds its text."""
        access.need(who, Permission.MANAGE_ACCOUNTS)
        told = body.model_dump(mode="json")
        try:
            made = await tokens.create(
                body.name,
                body.scopes,
                by=who.username,
                owner=body.owner,
                lines=body.lines,
                expires_at=body.expires_at,
            )
        except TokenError as error:
            raise await refused(who, "token.create", told, error, 422) from error
        await note(who, "token.create", {"id": made.token.id, **told})
        return json(NewTokenView(token=made.text, **structs.asdict(without_secret(made.token))), 201)

    @routes.delete("/{token_id}")
    @answers(status=204, refuses={404: ("token_unknown",)})
    async def revoke(token_id: str, who: Identity = who_is) -> Response:
        """It opens nothing any more, from the next request on."""
        access.need(who, Permission.MANAGE_ACCOUNTS)
        told = {"id": token_id}
        try:
            await tokens.revoke(token_id)
        except TokenError as error:
            raise await refused(who, "token.revoke", told, error, 404) from error
        await note(who, "token.revoke", told)
        return Response(status_code=204)

    return routes


def without_secret(token: ApiToken) -> TokenView:
    """A token as it may be shown."""
    return TokenView(**{name: getattr(token, name) for name in TokenView.__struct_fields__})
