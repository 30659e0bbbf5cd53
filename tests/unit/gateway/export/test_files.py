"""What is written can be read, and no text becomes a formula."""

import csv as reader
import io
import re
import zipfile
from datetime import datetime
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from gateway.export import csv
from gateway.export.cells import Cell, Column, Table
from gateway.export.xlsx import MAX_TEXT, XlsxFile

SHEET = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
NASTY = [
    "=1+1",
    "+86139",
    "-2+3",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    "\n=1",
    "＝1+1",
    "{=1}",
    "http://a.cn",
    "0139",
    " =1+1",
    "\ufeff=1+1",
    "\u200b@SUM(A1)",
    "051386110010",
    "320612198001011234",
    "_x0041_",
    "a\x00b",
]


@pytest.mark.parametrize("text", NASTY)
def test_csv_reads_back_and_is_no_formula(text: str) -> None:
    data = csv.lines([[text, 'say "hi", 你好\n', None, 5, 1.5, datetime(2026, 1, 2, 3, 4, 5)]])  # noqa: DTZ001
    ((first, *rest),) = reader.reader(io.StringIO(data.decode(), newline=""))
    assert rest == ['say "hi", 你好\n', "", "5", "1.5", "2026-01-02 03:04:05"]
    assert first.removeprefix("'").removesuffix(csv.AS_TEXT) == text.replace("\x00", "")
    assert not first.startswith(csv.RISKY)


@pytest.mark.parametrize(
    "text",
    [
        "051386110010", "0139", "320612198001011234", "1234567890123456", "3.20", "1,234",
        "1E5", "3-2", "3/4",
        "2026-01-02",
        "12:30", "50%", "00", "１２３４５", "3月2日", "MAR1", "1-Mar", "Sept 2",
        "true", "(5)", "12:30 PM", "¥5",
    ],
)  # fmt: skip
def test_what_a_spreadsheet_would_read_otherwise_stands_as_text(text: str) -> None:
    ((first,),) = reader.reader(io.StringIO(csv.lines([[text]]).decode(), newline=""))
    assert first == text + csv.AS_TEXT


@pytest.mark.parametrize(
    "text",
    ["12345", "0", "13800138000", "main-1780000000.1", "138****8000", "王芳(1001)", "人民路12号3单元",
     "3幢2号", "a1",
     "Market", "Marie Curie", "8d7f8f4e-0000-5000-8000-000000000001", "123456789012345"],
)  # fmt: skip
def test_what_is_read_as_written_stands_bare(text: str) -> None:
    ((first,),) = reader.reader(io.StringIO(csv.lines([[text]]).decode(), newline=""))
    assert first == text


def test_no_cell_begins_where_a_program_separates_at_something_else() -> None:
    assert csv.lines([["a;=1+1", "b\t=1"]]) == b'"a;=1+1","b\t=1"\r\n'


def test_numbers_stay_numbers() -> None:
    assert csv.lines([[-5, -0.5]]) == b"-5,-0.5\r\n"


def written(rows: list[list[Cell]], tmp_path: Path) -> list[list[tuple[str, Any]]]:
    """The cells of a sheet as (type, value), read from the XML itself."""
    width = max(len(row) for row in rows)
    table: Table[Any] = Table("表", tuple(Column(f"列{n}", lambda one: one) for n in range(width)))
    out = io.BytesIO()
    book = XlsxFile(out, table, tmp_path)
    for row in rows:
        book.add([row])
    book.close()
    with zipfile.ZipFile(out) as archive:
        assert archive.testzip() is None
        text = archive.read("xl/worksheets/sheet1.xml").decode()
    assert "<f>" not in text
    assert "hyperlink" not in text
    found = []
    for line in ElementTree.fromstring(text).iter(f"{SHEET}row"):
        cells = []
        for cell in line:
            value = "".join(cell.itertext())
            cells.append((cell.get("t", "n"), value if cell.get("t") else float(value)))
        found.append(cells)
    assert not list(tmp_path.iterdir())
    return found[1:]


def test_xlsx_holds_texts_as_texts(tmp_path: Path) -> None:
    rows = written([[text] for text in NASTY], tmp_path)
    for text, [(kind, value)] in zip(NASTY, rows, strict=True):
        assert kind == "inlineStr"
        plain = re.sub("_x([0-9A-F]{4})_", lambda code: chr(int(code[1], 16)), value)
        assert plain.replace("\r\n", "\n").replace("\r", "\n") == text.replace("\r", "\n")


def test_xlsx_holds_instants_numbers_and_long_texts(tmp_path: Path) -> None:
    ((instant, number, long, lone),) = written(
        [[datetime(2026, 1, 2, 12, 0, 0), -5, "长" * 40_000, "a\ud800b"]],  # noqa: DTZ001
        tmp_path,
    )
    assert instant == ("n", 46024.5)
    assert number == ("n", -5.0)
    assert len(long[1]) == MAX_TEXT
    assert lone[1] == "a?b"
