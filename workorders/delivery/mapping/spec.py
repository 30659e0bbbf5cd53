"""A mapping as it is written: TOML tables, checked; a preset and what is changed of it. Pure."""

import re
from collections.abc import Mapping
from typing import Any, Literal
from zoneinfo import available_timezones

import jmespath
import msgspec
from msgspec import Struct

from domain.order_status import Step
from domain.text import is_line
from workorders.delivery.mapping.errors import MappingFaultsError

BODIES = ("json", "form", "text")
HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}")
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
OURS = frozenset(
    {"connection", "content-length", "expect", "host", "te", "trailer", "transfer-encoding", "upgrade"}
)
POLLED = ("order", "number", "status", "unit", "person", "deadline", "text", "satisfied", "resolved")
"""What can be read of an order that a system is asked for; when it changed is read, too."""
CONFIDENTIAL = re.compile(
    r"auth|cookie|token|secret|password|passwd|api-?key|access-?key|signature", re.IGNORECASE
)
"""Headers that carry secrets."""

Phase = Literal["new", "update", "each"]
"""`new`: the system has nothing of the order yet; `update`: it has."""


class FindSpec(Struct, frozen=True, forbid_unknown_fields=True):
    """How to find out whether a request was carried out already."""

    id: str | list[str]
    """JMESPath, the first that finds something: what is there has this id."""
    url: str = "{{ url }}"
    query: dict[str, Any] = {}
    headers: dict[str, str] = {}


class RequestSpec(Struct, frozen=True, forbid_unknown_fields=True, rename={"phase": "for"}):
    """One request."""

    phase: Phase = "each"
    when: str = ""
    method: Literal["GET", "POST", "PUT", "PATCH"] = "POST"
    url: str = "{{ url }}"
    query: dict[str, Any] = {}
    headers: dict[str, str] = {}
    json: Any = None
    form: dict[str, Any] | None = None
    text: str | None = None
    success: list[int] = []
    """HTTP statuses; empty: 2xx."""
    success_if: str = ""
    """JMESPath that must be true of the reply."""
    already: list[int] = []
    """Statuses that say that it is there already."""
    retry: list[int] = []
    """Statuses after which it is tried again, beside the usual."""
    id: str | list[str] = []
    find: FindSpec | Literal[False] | None = None


class PollSpec(Struct, frozen=True, forbid_unknown_fields=True):
    """How a system that cannot call is asked what became of its orders. JMESPath but for url and query."""

    items: str
    """The list of orders in its reply."""
    changed: str
    """In one of them: when it last changed."""
    places: dict[str, str]
    """In one of them: where each of `POLLED` stands."""
    words: dict[str, str] = {}
    """The system's words → our steps."""
    timezone: str = ""
    """Of times without one; empty: the deployment's."""
    url: str = "{{ url }}"
    query: dict[str, Any] = {}
    headers: dict[str, str] = {}
    page_size: int = 0
    """Where a reply has as many, the next page is asked for; 0: there is one."""


class TableSpec(Struct, frozen=True, forbid_unknown_fields=True):
    """Their codes for our values."""

    values: dict[str, Any] = {}
    default: Any = msgspec.UNSET
    """For all other values; without it, such a value is an error."""


class MappingSpec(Struct, frozen=True, forbid_unknown_fields=True):
    """How orders are handed over to one system."""

    requests: dict[str, RequestSpec]
    """In this order."""
    headers: dict[str, str] = {}
    """Of all requests."""
    vars: dict[str, Any] = {}
    texts: dict[str, str] = {}
    """Templates that several requests use, as `texts.NAME`."""
    secrets: list[str] = []
    tables: dict[str, TableSpec] = {}
    number: str = ""
    """The request whose `id` is the system's number of the order; empty: the only one that has an `id`."""
    sign: bool = True
    description: str = ""
    poll: PollSpec | None = None


def merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """`base` with what `over` says otherwise; another kind of body takes the place of the one that was."""
    result = {str(key): value for key, value in base.items()}
    if any(kind in over for kind in BODIES):
        result = {key: value for key, value in result.items() if key not in BODIES or key in over}
    for key, value in over.items():
        before = result.get(key)
        result[key] = (
            merged(before, value) if isinstance(before, Mapping) and isinstance(value, Mapping) else value
        )
    return result


def read_spec(data: Mapping[str, Any]) -> MappingSpec:
    """The mapping that these tables write.

    Raises:
        MappingFaultsError: they do not.
    """
    requests = data.get("requests")
    if not isinstance(requests, Mapping) or not requests:
        raise MappingFaultsError(
            ["requests: there is none; add [requests.NAME] with url and json, form or text"]
        )
    faults: list[str] = []
    parts: dict[str, dict[str, Any]] = {"requests": {}, "tables": {}}
    for part, kind in (("requests", RequestSpec), ("tables", TableSpec)):
        for name, one in (data.get(part) or {}).items():
            if not NAME.fullmatch(name):
                faults.append(f"{part}.{name!a}: a name is letters, digits and _")
            try:
                parts[part][name] = msgspec.convert(_lower_headers(one), kind)
            except msgspec.ValidationError as error:
                faults.append(_said(f"{part}.{name}", error))
    rest = {key: value for key, value in data.items() if key not in parts}
    try:
        spec = msgspec.convert(_lower_headers(rest) | {"requests": {}}, MappingSpec)
    except msgspec.ValidationError as error:
        faults.append(_said("", error))
        raise MappingFaultsError(faults) from None
    spec = msgspec.structs.replace(spec, **parts)
    faults += _faults(spec)
    if faults:
        raise MappingFaultsError(faults)
    return spec


def _lower_headers(data: Any) -> Any:
    """Names of headers do not differ by capitals."""
    if not isinstance(data, Mapping):
        return data
    made = dict(data)
    if isinstance(headers := made.get("headers"), Mapping):
        made["headers"] = {str(name).lower(): value for name, value in headers.items()}
    for part in ("find", "poll"):
        if isinstance(one := made.get(part), Mapping):
            made[part] = _lower_headers(one)
    return made


def lower_headers(data: Mapping[str, Any]) -> dict[str, Any]:
    """The tables with names of headers in small letters, so that one can take the place of another."""
    made: dict[str, Any] = _lower_headers(data)
    if isinstance(requests := made.get("requests"), Mapping):
        made["requests"] = {name: _lower_headers(one) for name, one in requests.items()}
    return made


def _said(place: str, error: msgspec.ValidationError) -> str:
    text, _, where = str(error).partition(" - at `$")
    where = where.rstrip("`").lstrip(".")
    if text.startswith("Object contains unknown field"):
        text = f"unknown key {text.rpartition(' ')[2].strip('`')}; remove it or fix its spelling"
    return f"{'.'.join(one for one in (place, where) if one) or 'mapping'}: {text}"


def _faults(spec: MappingSpec) -> list[str]:
    faults = _header_faults("headers", spec.headers)
    if spec.poll is not None:
        faults += _poll_faults(spec.poll)
    for name, request in spec.requests.items():
        place = f"requests.{name}"
        faults += _header_faults(f"{place}.headers", request.headers)
        if isinstance(request.find, FindSpec):
            faults += _header_faults(f"{place}.find.headers", request.find.headers)
            faults += _path_faults(f"{place}.find.id", request.find.id)
        faults += _request_faults(place, request)
    writing = {name: one for name, one in spec.requests.items() if one.method != "GET"}
    for phase, of in (("new", "orders"), ("update", "later revisions")):
        if spec.requests and not any(one.phase in (phase, "each") for one in writing.values()):
            faults.append(f'requests: none for {of}; add one with for = "{phase}" or "each"')
        # Where one fails, all before it are made again.
        in_phase = [(name, one) for name, one in writing.items() if one.phase in (phase, "each")]
        faults += [
            f"requests.{name}: is made again where a later request fails; add find, or let it be the last"
            for name, one in in_phase[:-1]
            if one.method == "POST" and not one.find and not one.already
        ]
    if spec.number and not (spec.number in spec.requests and spec.requests[spec.number].id):
        faults.append(f"number = {spec.number!r}: no request of that name has an id")
    if not spec.number and sum(bool(one.id) for one in writing.values()) > 1:
        faults.append("number: several requests have an id; name the one whose id is the number of the order")
    for secret in spec.secrets:
        if not NAME.fullmatch(secret) or secret.lower() == "secret":
            faults.append(
                f"secrets: {secret!a} is no name for one; use letters, digits and _, not secret itself"
            )
    return faults


def _request_faults(place: str, request: RequestSpec) -> list[str]:
    faults = _path_faults(f"{place}.id", request.id)
    if request.success_if:
        faults += _path_faults(f"{place}.success_if", request.success_if)
    bodies = [kind for kind in BODIES if getattr(request, kind) is not None]
    if len(bodies) > 1:
        faults.append(f"{place}: {' and '.join(bodies)}; a request has one body")
    if request.method == "GET" and bodies:
        faults.append(f"{place}.{bodies[0]}: GET has no body; use query, or another method")
    if request.method != "GET" and not bodies:
        faults.append(f"{place}: no body; add json, form or text")
    for key in ("success", "already", "retry"):
        if bad := [status for status in getattr(request, key) if not 100 <= status <= 599]:
            faults.append(f"{place}.{key}: {bad[0]} is no HTTP status")
    return faults


def _poll_faults(poll: PollSpec) -> list[str]:
    faults = _header_faults("poll.headers", poll.headers)
    for name, path in {"items": poll.items, "changed": poll.changed}.items():
        faults += _path_faults(f"poll.{name}", path)
    for name, path in poll.places.items():
        if name not in POLLED:
            faults.append(f"poll.places.{name}: not known here; there are {', '.join(POLLED)}")
        faults += _path_faults(f"poll.places.{name}", path)
    if "status" not in poll.places or not {"order", "number"} & poll.places.keys():
        faults.append("poll.places: needs status, and order or number")
    for word, step in poll.words.items():
        if step not in {one.value for one in Step}:
            faults.append(f"poll.words.{word!a}: {step!r} is no step; there are {', '.join(Step)}")
    if poll.timezone and poll.timezone not in available_timezones():
        faults.append(f"poll.timezone: {poll.timezone!r} is no time zone; write one like Asia/Shanghai")
    if not 0 <= poll.page_size <= 10_000:
        faults.append("poll.page_size: is 0 to 10,000")
    return faults


def _header_faults(place: str, headers: Mapping[str, str]) -> list[str]:
    faults = []
    for name, value in headers.items():
        if not HEADER.fullmatch(name):
            faults.append(f"{place}.{name!a}: no name of a header")
        elif name in OURS or name.startswith("webhook-"):
            faults.append(f"{place}.{name}: is set by the gateway; remove it")
        elif not is_line(value):
            faults.append(f"{place}.{name}: must be one line without control characters")
        elif CONFIDENTIAL.search(name) and value.strip() and "{{" not in value:
            faults.append(
                f"{place}.{name}: a secret must not be in this file;"
                " write {{ secrets.NAME }} there, and NAME into secrets"
            )
    return faults


def _path_faults(place: str, paths: str | list[str]) -> list[str]:
    faults = []
    for path in [paths] if isinstance(paths, str) else paths:
        if "{{" in path:
            continue  # known only once it is filled in
        try:
            jmespath.compile(path)
        except jmespath.exceptions.JMESPathError as error:
            faults.append(f"{place}: {path!r} is no JMESPath expression: {error}")
    return faults
