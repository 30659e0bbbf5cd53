"""The routes of the HTTP API: a module for each resource, with `router(services, access)`."""

from typing import Annotated

from fastapi import Query

Limit = Annotated[int, Query(ge=1, le=500)]
"""How many of a list."""
