"""What each route promises: its answer, and the refusals it may give (told by `gateway/web/openapi.py`)."""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, TypeVar

from msgspec import Struct

from agents.accounts.identity import Scope

F = TypeVar("F", bound=Callable[..., Any])
JSON = "application/json"
_KEY = "__promise__"


class Problem(Struct, frozen=True, omit_defaults=True):
    """Why something was refused (RFC 9457)."""

    type: str
    status: int
    detail: str = ""
    """Cause and fix, in English."""
    reason: str = ""
    """The exact reason, a code that keeps its meaning."""
    params: dict[str, Any] = {}
    """What `detail` was filled in with."""
    code: str = ""
    """The kind of refusal, where there are kinds."""
    id: str = ""
    """Of the command that was refused."""


class Promise(Struct, frozen=True):
    """What a route answers when all is well, and what else."""

    kind: Any = None
    """Type of the body; `None`: there is none, or it is no JSON."""
    status: int = 200
    media: Sequence[str] = (JSON,)
    example: Any = None
    refuses: Mapping[int, Sequence[str]] = MappingProxyType({})
    """Status → codes of `domain.refusals`, beside those that every route may give."""
    also: Sequence[int] = ()
    """Further statuses with the same body."""
    door: Scope | None = None
    """The scope that opens it, where the route itself asks who may pass."""
    lines: Any = None
    """Where the body is made of lines: an example of what stands in each."""
    headers: Mapping[str, str] = MappingProxyType({})
    """Headers of the answer that clients need, with their meaning."""


def answers(
    kind: Any = None, status: int = 200, *, refuses: Mapping[int, Sequence[str]] | None = None, **more: Any
) -> Callable[[F], F]:
    """Note on an endpoint what it promises; stands below the route's own decorator. `more`: see `Promise`."""

    def noted(endpoint: F) -> F:
        endpoint.__dict__[_KEY] = Promise(kind, status, refuses=refuses or {}, **more)
        return endpoint

    return noted


def promise_of(endpoint: Callable[..., Any]) -> Promise | None:
    """What the endpoint promises, if it was noted."""
    found: Promise | None = getattr(endpoint, _KEY, None)
    return found
