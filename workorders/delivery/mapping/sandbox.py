"""The language of templates: Jinja2, sandboxed, with what JSON has and nothing more. Pure.

A template is an expression over an order: it can choose and format, go through a list and decide; it cannot
assign, include, define, or reach anything that is no JSON value. It makes no more than it is given allows.
"""

import json
import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from jinja2 import StrictUndefined, Undefined, nodes
from jinja2.exceptions import SecurityError
from jinja2.filters import FILTERS as KNOWN_FILTERS
from jinja2.runtime import LoopContext
from jinja2.sandbox import ImmutableSandboxedEnvironment

MAX_SIZE = 16 * 1024 * 1024
"""Characters that one template may make: a call of an hour, whole, is a hundredth of it."""
MAX_LOOPS = 2
"""Loops within each other."""
MAX_DEPTH = 64

FILTERS = (
    "abs", "capitalize", "count", "d", "default", "dictsort", "e", "escape", "first", "float", "groupby",
    "int", "items", "join", "last", "length", "list", "lower", "map", "max", "min", "reject", "rejectattr",
    "replace", "reverse", "round", "select", "selectattr", "sort", "string", "striptags", "sum", "title",
    "trim", "truncate", "unique", "upper", "urlencode",
)  # fmt: skip
METHODS: Mapping[type, frozenset[str]] = {
    str: frozenset({
        "endswith", "find", "isdigit", "lower", "lstrip", "removeprefix", "removesuffix", "replace",
        "rstrip", "split", "splitlines", "startswith", "strip", "upper",
    }),
    list: frozenset({"count", "index"}),
    dict: frozenset({"get", "items", "keys", "values"}),
}  # fmt: skip
NODES = (
    nodes.Template, nodes.Output, nodes.TemplateData, nodes.Name, nodes.Const, nodes.Tuple, nodes.List,
    nodes.Dict, nodes.Pair, nodes.Keyword, nodes.CondExpr, nodes.Filter, nodes.Test, nodes.Call,
    nodes.Getitem, nodes.Getattr, nodes.Slice, nodes.Concat, nodes.Compare, nodes.Operand, nodes.Mul,
    nodes.Div, nodes.FloorDiv, nodes.Add, nodes.Sub, nodes.Mod, nodes.And, nodes.Or, nodes.Not, nodes.Neg,
    nodes.Pos, nodes.For, nodes.If,
)  # fmt: skip


class Omit:
    """`omit`: the key that this would be the value of is left out."""

    def __repr__(self) -> str:
        return "omit"


OMIT = Omit()


class Missing(StrictUndefined):
    """What an order does not have: an error wherever it is used, unless `default` catches it."""

    def __getattr__(self, name: str) -> Any:
        if name[:2] == "__":
            raise AttributeError(name)
        return self

    def __getitem__(self, _: object) -> Any:
        return self

    @property
    def path(self) -> str:
        """The name that was not found."""
        return str(self._undefined_name or "a value")


class Unknown:
    """What is known only once a system has answered; whatever it is asked for, it is that."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __getattr__(self, name: str) -> Any:
        if name[:2] == "__":
            raise AttributeError(name)
        return self

    def __getitem__(self, _: object) -> Any:
        return self

    def __str__(self) -> str:
        return self._text


class Sandbox(ImmutableSandboxedEnvironment):
    """Evaluates templates; `finalize` makes text of a value."""

    intercepted_binops = frozenset({"*", "%"})

    def __init__(
        self, finalize: Callable[[Any], Any], filters: Mapping[str, Callable[..., Any]] = {}
    ) -> None:
        super().__init__(undefined=Missing, finalize=finalize, keep_trailing_newline=True, autoescape=False)
        self.filters = {name: KNOWN_FILTERS[name] for name in FILTERS} | dict(filters)
        self.globals.clear()
        self.globals["omit"] = OMIT

    def checked(self, source: str) -> nodes.Template:
        """The template's tree.

        Raises:
            jinja2.TemplateSyntaxError: it is none.
            SecurityError: it has what templates here must not have.
        """
        tree = self.parse(source)
        self._check(tree, 0)
        return tree

    def _check(self, node: nodes.Node, loops: int) -> None:
        if not isinstance(node, NODES):
            raise SecurityError(f"{type(node).__name__.lower()} is not available here")
        if isinstance(node, nodes.Name) and node.name in ("self", "super", "caller"):
            raise SecurityError(f"{node.name} is not available here")
        loops += isinstance(node, nodes.For)
        if loops > MAX_LOOPS or (isinstance(node, nodes.For) and node.recursive):
            raise SecurityError(f"more than {MAX_LOOPS} loops within each other")
        for child in node.iter_child_nodes():
            self._check(child, loops)

    def getattr(self, obj: Any, attribute: str) -> Any:
        """What a dict holds goes before what a dict can do: `order.items` is what the order has there."""
        if isinstance(obj, dict) and attribute in obj:
            return obj[attribute]
        return super().getattr(obj, attribute)

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        """Only a few methods of JSON's types."""
        if isinstance(obj, Missing | LoopContext | Unknown):
            return attr[:1] != "_"
        return any(isinstance(obj, kind) and attr in names for kind, names in METHODS.items())

    def is_safe_callable(self, obj: Any) -> bool:
        """A method that was let through above; nothing else can be called."""
        return isinstance(getattr(obj, "__self__", None), str | list | dict | LoopContext)

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        """`*` and `%` are for numbers: with texts they make endless ones."""
        if not isinstance(left, int | float) or not isinstance(right, int | float):
            raise SecurityError(f"{operator} is for numbers")
        return super().call_binop(context, operator, left, right)


def plain(value: Any, depth: int = 0) -> Any:
    """The value as JSON has it; what is to be left out is left out, `OMIT` itself stays.

    Raises:
        jinja2.UndefinedError: something in it is not there.
        ValueError: it is no JSON.
    """
    if isinstance(value, Undefined):
        value._fail_with_undefined_error()
    if value is None or value is OMIT or isinstance(value, bool | int):
        return value
    if isinstance(value, str | Unknown):
        return str(value)
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError(f"{value} is no number that JSON has")
        return value
    if depth > MAX_DEPTH:
        raise ValueError("it nests too deep")
    if isinstance(value, Mapping):
        pairs = ((str(key), plain(item, depth + 1)) for key, item in value.items())
        return {key: item for key, item in pairs if item is not OMIT}
    if isinstance(value, Iterable):
        return [item for item in (plain(one, depth + 1) for one in value) if item is not OMIT]
    raise ValueError(f"{type(value).__name__} is no value that JSON has")


def text_of(value: Any) -> str:
    """The value as text: none is empty, true and false as in JSON, lists and objects as JSON."""
    value = plain(value)
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if value is OMIT:
        raise ValueError("omit stands for a whole value, not within a text")
    return to_json(value)


def to_json(value: Any) -> str:
    """Compact JSON."""
    return json.dumps(plain(value), ensure_ascii=False, separators=(",", ":"), allow_nan=False)
