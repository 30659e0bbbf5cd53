"""CSV for spreadsheet programs: UTF-8 with a byte order mark, and no cell they would evaluate. Pure."""

import csv
import io
from collections.abc import Iterable
from datetime import datetime

from gateway.export.cells import Cell

BOM = "\ufeff"
# What spreadsheet programs take as the start of a formula, including full-width forms (which programs set to
# Chinese or Japanese fold), and what may precede it unseen.
RISKY = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def harmless(text: str) -> str:
    """Return text no spreadsheet program evaluates: an apostrophe goes before anything like a formula."""
    return f"'{text}" if text.startswith(RISKY) else text


def lines(rows: Iterable[Iterable[Cell]]) -> bytes:
    """Encode rows as CSV (RFC 4180) in UTF-8. Write `BOM` before a file's first rows."""
    out = io.StringIO()
    csv.writer(out).writerows([_shown(cell) for cell in row] for row in rows)
    return out.getvalue().encode("utf-8", "replace")


def _shown(cell: Cell) -> str | int | float | None:
    if isinstance(cell, datetime):
        return cell.strftime("%Y-%m-%d %H:%M:%S")
    if isinstance(cell, str):
        return harmless(cell.replace("\x00", ""))
    return cell
