"""Columns and cells of an exported table. Pure."""

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any, Generic, TypeVar

from msgspec import Struct

T = TypeVar("T")
Cell = str | int | float | datetime | None
"""A `datetime` is naive: the wall clock of the time zone the table is written in."""


class Column(Struct, Generic[T], frozen=True):
    """One column: its header, what stands in it for a row, its width in characters."""

    header: str
    value: Callable[[T], Cell]
    width: int = 14


class Table(Struct, Generic[T], frozen=True):
    """One kind of table."""

    name: str
    """As the sheet and the file are called."""
    columns: tuple[Column[T], ...]

    @property
    def headers(self) -> list[str]:
        """The first line."""
        return [column.header for column in self.columns]

    def rows(self, items: Iterable[T]) -> list[list[Cell]]:
        """The cells of some items."""
        return [[column.value(item) for column in self.columns] for item in items]


AnyTable = Table[Any]
