"""A mapping made ready: its requests for one order. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import unquote, urlencode, urlsplit

import jmespath
import msgspec
from msgspec import Struct

from domain.text import is_line
from workorders.delivery.mapping.errors import MappingError, MappingFaultsError
from workorders.delivery.mapping.sandbox import OMIT, plain, text_of, to_json
from workorders.delivery.mapping.spec import FindSpec, MappingSpec, Phase, PollSpec, RequestSpec
from workorders.delivery.mapping.templates import Scope, Table, Template, Templates, Url

NAMES = frozenset(
    {
        "base",
        "fields",
        "key",
        "number",
        "order",
        "origin",
        "requests",
        "secrets",
        "texts",
        "unsure",
        "url",
        "vars",
    }
)
"""What templates speak of."""
CONTENT_TYPES = {
    "json": "application/json; charset=utf-8",
    "form": "application/x-www-form-urlencoded",
    "text": "text/plain; charset=utf-8",
}
DOCUMENT = "{{ order }}"
"""As a whole `json`: the order's document, byte for byte as it was written."""
MAX_HEADER = 4000


class Sending(Struct, frozen=True):
    """One HTTP request, ready to go."""

    name: str
    method: str
    url: str
    headers: dict[str, str]
    body: bytes | None = None
    looks: bool = False
    """Only looks whether something is there."""


class Paths:
    """JMESPath expressions, the first of which that finds something counts."""

    def __init__(self, place: str, paths: str | Sequence[str], templates: Templates) -> None:
        self._place = place
        self._paths = [templates.path(place, one) for one in ([paths] if isinstance(paths, str) else paths)]

    def __bool__(self) -> bool:
        return bool(self._paths)

    def templates(self) -> Iterable[Template]:
        """What they are made of."""
        return self._paths

    def ready(self, scope: Scope) -> list[Any]:
        """Compiled, with what stands in them for this order.

        Raises:
            MappingError: one of them is none.
        """
        try:
            return [jmespath.compile(one.text(scope)) for one in self._paths]
        except jmespath.exceptions.JMESPathError as error:
            raise MappingError("map_fails", place=self._place, text=str(error)[:200]) from None


class Part:
    """What a request and the look-up before it have in common: where it goes, and its headers."""

    def __init__(
        self, place: str, spec: RequestSpec | FindSpec | PollSpec, headers: Mapping[str, str], make: Templates
    ) -> None:
        self.place = place
        self._url = make.url(f"{place}.url", spec.url)
        self._query = make.value(f"{place}.query", spec.query)
        self._headers = {
            name: make.text(f"{place}.headers.{name}", one)
            for name, one in {**headers, **spec.headers}.items()
        }

    def templates(self) -> Iterable[Template]:
        """All of its templates."""
        yield self._url
        yield from leaves(self._query)
        yield from self._headers.values()

    def secretive(self) -> list[str]:
        """Places where a secret would be part of a URL."""
        return [one.place for one in (self._url, *leaves(self._query)) if "secrets" in one.names]

    def url(self, scope: Scope) -> str:
        """Raises MappingError: it would go elsewhere than to the configured system."""
        url = self._url.text(scope).strip()
        query = evaluated(self._query, scope)
        if query:
            pairs = [(name, text_of(item)) for name, value in query.items() for item in _several(value)]
            url += ("&" if "?" in url else "?") + urlencode(pairs)
        parts = urlsplit(url)
        if f"{parts.scheme}://{parts.netloc}" != scope["origin"]:
            raise MappingError("map_fails", place=self._url.place, text="it leads to another host than url")
        if any(unquote(step) in (".", "..") for step in parts.path.split("/")) or not is_line(url, 8000):
            raise MappingError(
                "map_fails", place=self._url.place, text="it is no plain URL: . or .. or a control character"
            )
        return url

    def headers(self, scope: Scope) -> dict[str, str]:
        """Raises MappingError: one would not be one line of ASCII."""
        made = {}
        for name, template in self._headers.items():
            value = template.text(scope).strip()
            if not is_line(value, MAX_HEADER) or not value.isascii():
                why = "a header is one line of ASCII; write | urlencode, or leave it out"
                raise MappingError("map_fails", place=template.place, text=why)
            if value:
                made[name] = value
        return made


class Find(Part):
    """The look whether a request was carried out already."""

    def __init__(self, name: str, spec: FindSpec, headers: Mapping[str, str], make: Templates) -> None:
        super().__init__(f"requests.{name}.find", spec, headers, make)
        self._name = name
        self.id = Paths(f"{self.place}.id", spec.id, make)

    def sending(self, scope: Scope) -> Sending:
        """The request. Raises MappingError."""
        return Sending(self._name, "GET", self.url(scope), self.headers(scope), looks=True)


class Request(Part):
    """One request of a mapping."""

    def __init__(self, name: str, spec: RequestSpec, headers: Mapping[str, str], make: Templates) -> None:
        super().__init__(f"requests.{name}", spec, headers, make)
        self.name, self.spec = name, spec
        self._when = make.condition(f"{self.place}.when", spec.when) if spec.when else None
        self.kind = next((kind for kind in CONTENT_TYPES if getattr(spec, kind) is not None), None)
        self.whole_document = self.kind == "json" and spec.json == DOCUMENT
        source = getattr(spec, self.kind) if self.kind else None
        self._body = None if self.whole_document else make.value(f"{self.place}.{self.kind}", source)
        self.id = Paths(f"{self.place}.id", spec.id, make)
        self.success_if = jmespath.compile(spec.success_if) if spec.success_if else None
        self.find = Find(name, spec.find, headers, make) if isinstance(spec.find, FindSpec) else None

    def templates(self) -> Iterable[Template]:
        """All of its templates."""
        yield from super().templates()
        yield from leaves(self._body)
        yield from self.id.templates()
        if self._when is not None:
            yield self._when
        if self.find is not None:
            yield from self.find.templates()
            yield from self.find.id.templates()

    def applies(self, phase: Phase, scope: Scope) -> bool:
        """Whether it is made at all for this order. Raises MappingError."""
        if self.spec.phase not in ("each", phase):
            return False
        return self._when is None or self._when.evaluate(scope) not in (False, None, "", 0, [], {}, "false")

    def sending(self, scope: Scope, document: bytes) -> Sending:
        """The request. Raises MappingError."""
        headers = self.headers(scope)
        if self.kind is not None:
            headers.setdefault("content-type", CONTENT_TYPES[self.kind])
        body = document if self.whole_document else self._bytes(scope)
        return Sending(self.name, self.spec.method, self.url(scope), headers, body)

    def _bytes(self, scope: Scope) -> bytes | None:
        if self.kind is None:
            return None
        value = evaluated(self._body, scope)
        if self.kind == "json":
            text = to_json(None if value is OMIT else value)
        elif self.kind == "form":
            text = urlencode([(name, text_of(item)) for name, one in value.items() for item in _several(one)])
        else:
            text = text_of(value)
        try:
            return text.encode()
        except UnicodeEncodeError:
            raise MappingError("map_fails", place=self.place, text="it is no UTF-8") from None


class Poll(Part):
    """The question what became of orders, to a system that cannot call."""

    NAMES = frozenset({"base", "origin", "page", "secrets", "since", "url", "vars"})
    """What its templates speak of."""

    def __init__(self, spec: PollSpec, headers: Mapping[str, str], make: Templates) -> None:
        super().__init__("poll", spec, headers, make)
        self.spec = spec
        self._items = jmespath.compile(spec.items)

    def sending(self, scope: Scope) -> Sending:
        """The request. Raises MappingError."""
        return Sending("poll", "GET", self.url(scope), self.headers(scope))

    def items(self, document: Any) -> list[Any]:
        """The orders in a reply.

        Raises:
            MappingError: there is no list of them.
        """
        try:
            found = self._items.search(document)
        except (jmespath.exceptions.JMESPathError, RecursionError) as error:
            raise MappingError("map_fails", place="poll.items", text=str(error)[:200]) from None
        if not isinstance(found, list):
            raise MappingError("map_fails", place="poll.items", text="the reply has no such list")
        return found


class OrderMapping:
    """How orders are handed over to one system."""

    def __init__(self, spec: MappingSpec, timezone: str = "Asia/Shanghai") -> None:
        """Raises MappingFaultsError: a template in it is none."""
        tables = {
            name: Table(name, one.values, OMIT if one.default is msgspec.UNSET else one.default)
            for name, one in spec.tables.items()
        }
        make = Templates(tables, timezone)
        self.spec = spec
        self.requests: list[Request] = []
        faults: list[str] = []
        try:
            self._texts = {name: make.text(f"texts.{name}", one) for name, one in spec.texts.items()}
        except ValueError as error:
            raise MappingFaultsError([str(error)]) from None
        for name, one in spec.requests.items():
            try:
                request = Request(name, one, spec.headers, make)
            except ValueError as error:
                faults.append(str(error))
                continue
            faults += _unknown_names(request.templates())
            for part in (request, request.find):
                faults += _secrets_in_url(part) if part is not None else []
            self.requests.append(request)
        faults += _unknown_names(self._texts.values())
        self.poll: Poll | None = None
        if spec.poll is not None:
            try:
                self.poll = Poll(spec.poll, spec.headers, make)
            except ValueError as error:
                raise MappingFaultsError([*faults, str(error)]) from None
            faults += _unknown_names(self.poll.templates(), Poll.NAMES)
            faults += _secrets_in_url(self.poll)
        if faults:
            raise MappingFaultsError(faults)
        templates = [
            *self._texts.values(),
            *(one for request in self.requests for one in request.templates()),
        ]
        self.reads_order = any({"order", "fields"} & one.names for one in templates)
        named = [one.name for one in self.requests if one.id and one.spec.method != "GET"]
        self.number = spec.number or (named[0] if named else "")

    def texts(self, scope: Scope) -> dict[str, str]:
        """What several requests use, for this order. Raises MappingError."""
        return {name: one.text(scope) for name, one in self._texts.items()}

    def identity(self, key: str, request: str) -> str:
        """The `webhook-id` of a request: of several, each is a message of its own, the same at each try."""
        return f"{key}.{request}" if len(self.requests) > 1 else key

    @property
    def most(self) -> int:
        """Requests for one order, at most."""
        return sum(1 + (one.find is not None) for one in self.requests)


def evaluated(value: Any, scope: Scope) -> Any:
    """A value with the templates in it evaluated. Raises MappingError."""
    if isinstance(value, Template):
        return value.evaluate(scope)
    if isinstance(value, Mapping):
        pairs = ((key, evaluated(one, scope)) for key, one in value.items())
        return {key: one for key, one in pairs if one is not OMIT}
    if isinstance(value, list):
        return [one for one in (evaluated(item, scope) for item in value) if one is not OMIT]
    return plain(value)


def leaves(value: Any) -> Iterable[Template]:
    """The templates in a value."""
    if isinstance(value, Template):
        yield value
    elif isinstance(value, Mapping | list):
        for one in value.values() if isinstance(value, Mapping) else value:
            yield from leaves(one)


def base_scope(url: str) -> dict[str, Any]:
    """What templates know of the system itself."""
    parts = urlsplit(url)
    return {"url": Url(url), "base": Url(url.rstrip("/")), "origin": Url(f"{parts.scheme}://{parts.netloc}")}


def _several(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _secrets_in_url(part: Part) -> list[str]:
    return [
        f"{place}: a secret must not be part of a URL; put it into a header" for place in part.secretive()
    ]


def _unknown_names(templates: Iterable[Template], names: frozenset[str] = NAMES) -> list[str]:
    known = ", ".join(sorted(names))
    return [
        f"{one.place}: {name} is not known here; there are {known}"
        for one in templates
        for name in sorted(one.names - names)
    ]
