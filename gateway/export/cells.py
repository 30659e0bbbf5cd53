"""Columns and cells of an exported table. Pure."""

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any, Generic, TypeVar

from msgspec import Struct

T = TypeVar("T")
Cell = str | int | float | datetime | None
"""A `datetime` is naive: local time in the time zone the table is written in."""


class Column(Struct, Generic[T], frozen=True):
    """One column: its header, how to get its value from a row, its width in characters."""

    header: str
    value: Callable[[T], Cell]
    width: int = 14


class Table(Struct, Generic[T], frozen=True):
    """One kind of table."""

    name: str
    """The name of the sheet and the file."""
    columns: tuple[Column[T], ...]

    @property
    def headers(self) -> list[str]:
        """The header row."""
        return [column.header for column in self.columns]

    def rows(self, items: Iterable[T]) -> list[list[Cell]]:
        """Return the cells of some items."""
        return [[column.value(item) for column in self.columns] for item in items]


AnyTable = Table[Any]
