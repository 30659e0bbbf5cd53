"""The HTTP API as an OpenAPI 3.1 document, made from the routes and the types of their answers."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import msgspec
from fastapi import APIRouter
from fastapi.dependencies.models import Dependant
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute

from domain.refusals import REFUSALS
from gateway.stream.server import COOKIE
from gateway.web import examples
from gateway.web.access import CSRF_HEADER, Access, SystemDoor
from gateway.web.contract import JSON, Problem, Promise, promise_of

PROBLEM = "application/problem+json"
REF = "#/components/schemas/{name}"
SAFE = ("GET", "HEAD")
ANY = {
    413: ("too_large",),
    414: ("target_too_long",),
    422: ("bad_request", "text_unstorable"),
    503: ("database_busy",),
}
"""What may be answered to any request."""
SCHEMES = {
    "session": {
        "type": "apiKey",
        "in": "cookie",
        "name": COOKIE,
        "description": "A person: the cookie of `POST /api/v1/session`.",
    },
    "csrf": {
        "type": "apiKey",
        "in": "header",
        "name": CSRF_HEADER,
        "description": "With the cookie, for every method but GET and HEAD: `csrf` of `GET /api/v1/session`.",
    },
    "token": {
        "type": "http",
        "scheme": "bearer",
        "description": "A system: an API token (`hotline tokens create`), with the scope that is named."
        " Systems see callers masked unless `[privacy]` names `system`.",
    },
}
ABOUT = """Calls, orders and the rest of the gateway for people's browsers and for other systems.

Instants are POSIX seconds, durations seconds, unless a field says otherwise. A refusal is a problem (RFC
9457): `reason` is a code that keeps its meaning, `detail` names cause and fix in English. What comes from
callers (numbers, names, what was said) is untrusted text. The live view is a websocket stream with a document
of its own: `GET /api/v1/asyncapi.json`."""


def document(routers: Iterable[APIRouter], version: str) -> dict[str, Any]:
    """Return the document, ready for JSON."""
    routes = [route for router in routers for route in router.routes]
    told: dict[str, Any] = get_openapi(
        title="hotline-gateway", version=version, openapi_version="3.1.0", description=ABOUT, routes=routes
    )
    shown = [route for route in routes if isinstance(route, APIRoute) and route.include_in_schema]
    promises = {route.unique_id: promise_of(route.endpoint) or Promise() for route in shown}
    schemas = _answered_schemas(promises.values())
    asked = told.setdefault("components", {}).setdefault("schemas", {})
    for name in ("HTTPValidationError", "ValidationError"):
        asked.pop(name, None)
    # Choices are the same whether they are asked for or answered.
    if both := [name for name in schemas if name in asked and not _same_choice(asked[name], schemas[name])]:
        raise ValueError(f"one name for two schemas: {', '.join(both)}")
    told["components"] = {"schemas": {**asked, **schemas}, "securitySchemes": SCHEMES}
    told["info"]["license"] = {"name": "Apache-2.0", "identifier": "Apache-2.0"}
    for route in shown:
        for method in route.methods or ():
            operation = told["paths"][route.path_format].get(method.lower())
            if operation is not None:
                _complete(operation, route, method, promises[route.unique_id], asked)
    return told


def _same_choice(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether both are the same enumeration: what is asked for and what is answered share those."""
    return "enum" in one and sorted(one["enum"]) == sorted(other.get("enum", ()))


def _complete(
    operation: dict[str, Any], route: APIRoute, method: str, promise: Promise, asked: Mapping[str, Any]
) -> None:
    resource = route.endpoint.__module__.rpartition(".")[2]
    operation["tags"] = [resource]
    operation["operationId"] = f"{resource}.{route.endpoint.__name__}"
    for parameter in operation.get("parameters", ()):
        if (example := examples.PARAMETERS.get(parameter["name"])) is not None:
            parameter["example"] = example
    for body in operation.get("requestBody", {}).get("content", {}).values():
        schema = asked.get(body["schema"].get("$ref", "").rpartition("/")[2], body["schema"])
        if schema.get("examples"):
            body["examples"] = {"example": {"value": schema["examples"][0]}}
    doors = list(_doors(route.dependant))
    security = _security(doors, promise, method)
    if security:
        operation["security"] = security
    systems = promise.door is not None or any(isinstance(door, SystemDoor) for door in doors)
    operation["responses"] = _responses(route, method, promise, secured=bool(security), systems=systems)


def _doors(dependant: Dependant) -> Iterator[SystemDoor | None]:
    """The doors a request passes: `None` is that of people."""
    for one in dependant.dependencies:
        if isinstance(one.call, SystemDoor):
            yield one.call
        elif getattr(one.call, "__func__", None) is Access.signed_in:
            yield None
        yield from _doors(one)


def _security(doors: Sequence[Any], promise: Promise, method: str) -> list[dict[str, list[str]]]:
    if not doors and promise.door is None:
        return []
    person: dict[str, list[str]] = {"session": []} if method in SAFE else {"session": [], "csrf": []}
    scopes = [door.scope for door in doors if isinstance(door, SystemDoor)]
    if promise.door is not None:
        scopes.append(promise.door)
    return [person, *({"token": [] if scope is None else [scope.value]} for scope in scopes)]


def _responses(
    route: APIRoute, method: str, promise: Promise, *, secured: bool, systems: bool
) -> dict[str, Any]:
    refusals: dict[int, list[str]] = {status: list(codes) for status, codes in ANY.items()}
    if method not in SAFE:
        refusals.setdefault(403, []).append("origin")
    if secured:
        refusals.setdefault(401, []).append("not_signed_in")
        refusals.setdefault(403, []).append("permission")
        refusals[403].append("token_scope" if systems else "token_door")
        if method not in SAFE:
            refusals[403].append("csrf")
    if systems:
        refusals[401].append("token_wrong")
        refusals.setdefault(429, []).append("token_throttled")
    if "{" in route.path_format:
        refusals.setdefault(404, []).append("not_found")
    for status, codes in promise.refuses.items():
        refusals.setdefault(status, []).extend(codes)
    found = {str(status): _answer(promise) for status in (promise.status, *promise.also)}
    for status, codes in sorted(refusals.items()):
        refused = _refusal(codes, status)
        if (there := found.setdefault(str(status), refused)) is not refused:
            there["content"] |= refused["content"]
    return found


def _answer(promise: Promise) -> dict[str, Any]:
    said: dict[str, Any] = {"description": "Done"}
    if promise.headers:
        said["headers"] = {
            name: {"description": about, "schema": {"type": "string"}}
            for name, about in promise.headers.items()
        }
    if promise.kind is None:
        if tuple(promise.media) != (JSON,):
            shown: dict[str, Any] = {"schema": {"type": "string"}}
            if promise.lines is not None:
                shown["x-item-schema"] = {"$ref": REF.format(name=type(promise.lines).__name__)}
            said["content"] = {one: dict(shown) for one in promise.media}
        if promise.lines is not None:
            one = {"value": msgspec.json.encode(promise.lines).decode() + "\n"}
            said["content"]["application/jsonl"]["examples"] = {"example": one}
        return said
    (schema,), _ = msgspec.json.schema_components([promise.kind], ref_template=REF)
    example = promise.example if promise.example is not None else examples.of(promise.kind)
    shown = {"schema": schema}
    if example is not None:
        shown["examples"] = {"example": {"value": msgspec.to_builtins(example)}}
    said["content"] = dict.fromkeys(promise.media, shown)
    return said


def _refusal(codes: Sequence[str], status: int) -> dict[str, Any]:
    listed = "\n".join(f"- `{code}`: {REFUSALS[code]}" for code in dict.fromkeys(codes))
    first = codes[0]
    example = {"type": "about:blank", "status": status, "detail": REFUSALS[first], "reason": first}
    return {
        "description": listed,
        "content": {
            PROBLEM: {
                "schema": {"$ref": REF.format(name=Problem.__name__)},
                "examples": {first: {"value": example}},
            }
        },
    }


def _answered_schemas(promises: Iterable[Promise]) -> dict[str, Any]:
    kinds = [
        kind
        for promise in promises
        for kind in (promise.kind, None if promise.lines is None else type(promise.lines))
        if kind is not None
    ]
    _, schemas = msgspec.json.schema_components([*kinds, Problem], ref_template=REF)
    return dict(schemas)
