"""Templates of one mapping: compiled once, evaluated for each order. Pure."""

import base64
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import quote
from zoneinfo import ZoneInfo

import jmespath
from jinja2 import TemplateError, UndefinedError, meta, nodes
from jinja2.exceptions import TemplateSyntaxError

from workorders.delivery.mapping.errors import MappingError
from workorders.delivery.mapping.sandbox import (
    MAX_SIZE,
    OMIT,
    Missing,
    Sandbox,
    Unknown,
    plain,
    text_of,
    to_json,
)

EXPRESSION = re.compile(r"\s*\{\{[-+]?(.*?)[-+]?\}\}\s*", re.DOTALL)
ERRORS = (
    TemplateError,
    ValueError,
    TypeError,
    ArithmeticError,
    LookupError,
    AttributeError,
    NameError,
    RecursionError,
)
"""What evaluating a template over any order can end with."""

Scope = Mapping[str, Any]


class Url(str):
    """A part of a URL that is one already, and is not encoded again."""

    __slots__ = ()


class TableMissError(ValueError):
    """A value that a table has no code for."""

    def __init__(self, table: str, value: Any) -> None:
        self.table, self.value = table, value
        super().__init__(f"{value!r} is not in table {table}")


class Table:
    """Their code for our value."""

    def __init__(self, name: str, values: Mapping[str, Any], default: Any = OMIT) -> None:
        """`default` is that of values that are not in it; `OMIT`: such a value is an error."""
        self.name, self.values, self.default = name, values, default

    def code(self, value: Any) -> Any:
        """Raises TableMissError: it has none."""
        key = text_of(value)
        if key in self.values:
            return self.values[key]
        if self.default is OMIT:
            raise TableMissError(self.name, key)
        return self.default


class Template:
    """One text with templates in it. `names`: what it speaks of."""

    def __init__(self, place: str, source: str, sandbox: Sandbox, *, whole: bool) -> None:
        """`whole`: a text that is one expression keeps the type of its value.

        Raises:
            ValueError: it is no template; the message names the place.
        """
        self.place, self.source = place, source
        try:
            tree = sandbox.checked(source)
            self.names = meta.find_undeclared_variables(tree)
            match = EXPRESSION.fullmatch(source)
            self._value: Callable[..., Any] | None = None
            if whole and match is not None and _is_expression(tree):
                self._value = sandbox.compile_expression(match[1], undefined_to_none=False)
            else:
                self._text = sandbox.from_string(source)
        except TemplateSyntaxError as error:
            raise ValueError(f"{place}: {error.message}; it is read as a Jinja2 template") from None
        except (TemplateError, AssertionError, KeyError) as error:
            raise ValueError(f"{place}: {error}") from None

    def evaluate(self, scope: Scope) -> Any:
        """Its value: JSON, or `OMIT`.

        Raises:
            MappingError: it has none for this order.
        """
        try:
            if self._value is not None:
                return plain(self._value(**scope))
            pieces: list[str] = []
            size = 0
            for piece in self._text.generate(**scope):
                pieces.append(piece)
                size += len(piece)
                if size > MAX_SIZE:
                    raise ValueError(f"it makes more than {MAX_SIZE} characters")
            return "".join(pieces)
        except TableMissError as error:
            raise MappingError(
                "map_no_code", place=self.place, value=str(error.value)[:100], table=error.table
            ) from None
        except UndefinedError as error:
            raise MappingError("map_missing", place=self.place, text=str(error.message)[:200]) from None
        except ERRORS as error:
            raise MappingError("map_fails", place=self.place, text=str(error)[:200]) from None

    def text(self, scope: Scope) -> str:
        """Its value as text."""
        value = self.evaluate(scope)
        return "" if value is OMIT else text_of(value)


def _is_expression(tree: nodes.Template) -> bool:
    """Whether it is a single `{{ … }}`."""
    if len(tree.body) != 1 or not isinstance(tree.body[0], nodes.Output):
        return False
    return len([one for one in tree.body[0].nodes if not _blank(one)]) == 1


def _blank(node: nodes.Node) -> bool:
    return isinstance(node, nodes.TemplateData) and not node.data.strip()


class Templates:
    """Compiles the templates of one mapping."""

    def __init__(self, tables: Mapping[str, Table], timezone: str) -> None:
        """`timezone` is that of times that are written without one."""
        self._tables = tables
        self._zone = ZoneInfo(timezone)
        filters: dict[str, Callable[..., Any]] = {
            "b64encode": lambda text: base64.b64encode(text_of(text).encode()).decode(),
            "epoch": lambda at: None if at is None else _instant(at).timestamp(),
            "query": _query,
            "table": self._code,
            "time": self._time,
            "tojson": to_json,
        }
        self._plain = Sandbox(text_of, filters)
        self._url = Sandbox(_url_part, filters)
        self._path = Sandbox(_raw_string, filters)

    def value(self, place: str, source: Any) -> Any:
        """A JSON value with templates for its texts; keys stay as they are."""
        if isinstance(source, str):
            return Template(place, source, self._plain, whole=True)
        if isinstance(source, Mapping):
            return {key: self.value(f"{place}.{key}", one) for key, one in source.items()}
        if isinstance(source, list):
            return [self.value(f"{place}.{index}", one) for index, one in enumerate(source)]
        return source

    def text(self, place: str, source: str) -> Template:
        """A text."""
        return Template(place, source, self._plain, whole=False)

    def condition(self, place: str, source: str) -> Template:
        """An expression that is true or false, with or without braces."""
        braced = source if "{{" in source else "{{ " + source + " }}"
        return Template(place, braced, self._plain, whole=True)

    def url(self, place: str, source: str) -> Template:
        """A URL: what is put into it is percent-encoded."""
        return Template(place, source, self._url, whole=False)

    def path(self, place: str, source: str) -> Template:
        """A JMESPath expression: what is put into it stands between quotation marks and cannot leave them."""
        return Template(place, source, self._path, whole=False)

    def _code(self, value: Any, name: str) -> Any:
        if name not in self._tables:
            raise ValueError(f"there is no table {name!r}; add [tables.{name}]")
        if isinstance(value, list):
            return [self._tables[name].code(one) for one in value]
        return self._tables[name].code(value)

    def _time(self, at: Any, form: str = "%Y-%m-%d %H:%M:%S", zone: str = "") -> str | None:
        if at is None:
            return None
        return _instant(at).astimezone(ZoneInfo(zone) if zone else self._zone).strftime(form)


def _instant(at: Any) -> datetime:
    if isinstance(at, Missing):
        at._fail_with_undefined_error()
    return datetime.fromisoformat(text_of(at))


def _query(value: Any, path: str) -> Any:
    if isinstance(value, Unknown):
        return []
    try:
        return jmespath.search(path, plain(value))
    except jmespath.exceptions.JMESPathError as error:
        raise ValueError(f"JMESPath {path!r}: {error}") from None


def _url_part(value: Any) -> str:
    return value if isinstance(value, Url) else quote(text_of(value), safe="")


def _raw_string(value: Any) -> str:
    return text_of(value).replace("\\", "\\\\").replace("'", "\\'")
