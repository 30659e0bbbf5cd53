"""CSV for spreadsheet programs: UTF-8 with a byte order mark. Pure.

No cell is evaluated, and each text is read as it is written: programs that open the file would make a number
of 051386110010 and a date of 3-2.
"""

import re
import unicodedata
from collections.abc import Callable, Iterable
from datetime import datetime

from gateway.export.cells import Cell

BOM = "\ufeff"
# What spreadsheet programs take as the start of a formula, including full-width forms (which programs set to
# Chinese or Japanese fold), and what may precede it unseen.
RISKY = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


_UNSEEN = "".join(
    map(chr, [*range(0x21), 0x7F, 0xA0, 0xAD, *range(0x2000, 0x2010), 0x2028, 0x2029, 0x2060, 0x3000, 0xFEFF])
)
AS_TEXT = "\t"
"""Behind a text that looks like a number or a date: programs show nothing of it and take it as text."""
_SAME = re.compile(r"0|[1-9][0-9]{0,14}")
"""A number that is shown as it is written: spreadsheets count with 15 digits."""
_LIKE_NUMBERS = r"[\s.,:;/%()eE$€£¥年月日时時分秒上下午+-]"
_OTHER = re.compile(
    rf"{_LIKE_NUMBERS}*\d(\d|{_LIKE_NUMBERS})*([ap]\.?m\.?)?"
    r"|(\d{1,4}[\s/.,-]*)?(jan|feb|mar|apr|may|jun|jul|aug|sept?|oct|nov|dec|january|february|march|april|june|july"
    r"|august|september|october|november|december)[\s/.,-]*[\d\s,:/-]*"
    r"|true|false",
    re.IGNORECASE,
)


_SPECIAL = re.compile(r"[\",;|\t\r\n]")


def harmless(text: str) -> str:
    """Return text no spreadsheet program evaluates: an apostrophe goes before anything like a formula."""
    return f"'{text}" if text.startswith(RISKY) or text.lstrip(_UNSEEN).startswith(RISKY) else text


def literal(text: str) -> str:
    """Return text that a spreadsheet program shows as it is: neither formula nor number nor date."""
    safe = harmless(text)
    plain = unicodedata.normalize("NFKC", text).strip()
    return text + AS_TEXT if safe == text and not _SAME.fullmatch(text) and _OTHER.fullmatch(plain) else safe


def lines(rows: Iterable[Iterable[Cell]], text: Callable[[str], str] = literal) -> bytes:
    """Encode rows as CSV (RFC 4180) in UTF-8. Write `BOM` before a file's first rows.

    `text` makes texts safe: `literal` for people's programs, `harmless` where others read the file too.
    """
    written = "".join(",".join(_quoted(_shown(cell, text)) for cell in row) + "\r\n" for row in rows)
    return written.encode("utf-8", "replace")


def _quoted(text: str) -> str:
    # Also for other separators than ours, lest a program that expects those begins a cell within a text.
    return '"' + text.replace('"', '""') + '"' if _SPECIAL.search(text) else text


def _shown(cell: Cell, text: Callable[[str], str]) -> str:
    if cell is None:
        return ""
    if isinstance(cell, datetime):
        return cell.strftime("%Y-%m-%d %H:%M:%S")
    return text(cell.replace("\x00", "")) if isinstance(cell, str) else repr(cell)
