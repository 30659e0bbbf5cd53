"""Write XLSX row by row, in constant memory. Blocking, so run it in a thread."""

from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import IO

from xlsxwriter import Workbook

from gateway.export.cells import AnyTable, Cell

MAX_ROWS = 1_048_575
"""Rows a sheet can hold besides its header."""
MAX_TEXT = 32_767
"""Characters a cell can hold."""
INSTANT = "yyyy-mm-dd hh:mm:ss"


class XlsxFile:
    """One sheet being written. Text is always text: never a formula, a number or a link."""

    def __init__(self, out: IO[bytes], table: AnyTable, scratch: Path) -> None:
        """Start a sheet; the rows are kept in `scratch` until `close` writes the file to `out`."""
        self._book = Workbook(
            out,
            {
                "constant_memory": True,
                "tmpdir": str(scratch),
                "strings_to_formulas": False,
                "strings_to_numbers": False,
                "strings_to_urls": False,
            },
        )
        self._sheet = self._book.add_worksheet(table.name)
        self._instant = self._book.add_format({"num_format": INSTANT})
        bold = self._book.add_format({"bold": True})
        for number, column in enumerate(table.columns):
            self._sheet.set_column(number, number, column.width)
        self._sheet.freeze_panes(1, 0)
        for number, header in enumerate(table.headers):
            self._sheet.write_string(0, number, header, bold)
        self._row = 1

    def add(self, rows: Iterable[Iterable[Cell]]) -> None:
        """Append rows."""
        for row in rows:
            for number, cell in enumerate(row):
                match cell:
                    case None | "":
                        pass
                    case str():
                        text = cell.encode("utf-8", "replace").decode()
                        self._sheet.write_string(self._row, number, _fitting(text))
                    case datetime():
                        self._sheet.write_datetime(self._row, number, cell, self._instant)
                    case _:
                        self._sheet.write_number(self._row, number, cell)
            self._row += 1

    def close(self) -> None:
        """Write the file."""
        self._book.close()


def _fitting(text: str) -> str:
    return text if len(text) <= MAX_TEXT else text[: MAX_TEXT - 1] + "…"
