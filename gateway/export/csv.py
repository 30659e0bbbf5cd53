"""CSV for spreadsheet programs: UTF-8 with a byte order mark, no cell that they would calculate. Pure."""

import csv
import io
from collections.abc import Iterable
from datetime import datetime

from gateway.export.cells import Cell

BOM = "\ufeff"
# What spreadsheet programs take for the beginning of a formula, full-width forms too (they are folded by
# programs set to Chinese or Japanese), and what may stand unseen before it.
RISKY = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def harmless(text: str) -> str:
    """The text so that no spreadsheet program calculates it: an apostrophe before what would be a formula."""
    return f"'{text}" if text.startswith(RISKY) else text


def lines(rows: Iterable[Iterable[Cell]]) -> bytes:
    """Rows as CSV (RFC 4180) in UTF-8. The first of a file comes after `BOM`."""
    out = io.StringIO()
    csv.writer(out).writerows([_shown(cell) for cell in row] for row in rows)
    return out.getvalue().encode("utf-8", "replace")


def _shown(cell: Cell) -> str | int | float | None:
    if isinstance(cell, datetime):
        return cell.strftime("%Y-%m-%d %H:%M:%S")
    if isinstance(cell, str):
        return harmless(cell.replace("\x00", ""))
    return cell
