"""Where the figures that `make eval` measures are kept: JSON in docs/figures, tables in docs/figures.md."""

import json
from pathlib import Path
from typing import Any

DOCS = Path(__file__).resolve().parents[1] / "docs"


def put_figures(name: str, title: str, figures: dict[str, Any], told: str, *, docs: Path = DOCS) -> None:
    """Write `figures` to figures/<name>.json, and `told` (Markdown) between that name's marks in the page.

    What stands outside the marks is left alone; where there are none, a section `title` is added at the end.
    """
    directory, page = docs / "figures", docs / "figures.md"
    directory.mkdir(parents=True, exist_ok=True)
    document = json.dumps(figures, ensure_ascii=False, indent=1) + "\n"
    (directory / f"{name}.json").write_text(document, encoding="utf-8")
    begin, end = f"<!-- {name}: written by `make eval` -->", f"<!-- end of {name} -->"
    text = page.read_text(encoding="utf-8") if page.exists() else "# Figures\n"
    if begin not in text:
        text = text.rstrip() + f"\n\n## {title}\n\n{begin}\n{end}\n"
    head, rest = text.split(begin, 1)
    tail = rest.split(end, 1)[1]
    page.write_text(f"{head}{begin}\n{told}\n{end}{tail}", encoding="utf-8")
