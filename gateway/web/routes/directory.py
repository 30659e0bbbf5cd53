"""Whom a call can be passed to."""

from typing import Protocol

from fastapi import APIRouter, Depends, Response

from agents.accounts.identity import Identity
from domain.directory import Directory
from gateway.web.access import Access
from gateway.web.answers import json
from gateway.web.contract import answers


class Directories(Protocol):
    """Port: whom a call can be passed to."""

    def now(self) -> Directory: ...


def router(access: Access, directories: Directories) -> APIRouter:
    """`/directory`."""
    routes = APIRouter(prefix="/api/v1/directory")
    who_is = Depends(access.signed_in)

    @routes.get("")
    @answers(Directory)
    async def directory(who: Identity = who_is) -> Response:
        return json(directories.now())

    return routes
