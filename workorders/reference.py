"""What extraction matches against: places, units, enterprises, words; data files, replaceable.

Formats (UTF-8, tabs, `#` begins a comment line, the first other line names the columns):
places.tsv: `town`, `village` (empty: the town itself); units.tsv: `unit`, `aliases`, `words`, `categories`
(the last three are lists with 、); enterprises.tsv: `name`.
"""

import csv
import tomllib
from functools import cached_property
from pathlib import Path

from msgspec import Struct

DATA = Path(__file__).parent / "data"


class ReferenceDataError(ValueError):
    """A data file cannot be used; the text names file, line and mend."""


class Place(Struct, frozen=True):
    """A town, or a village or community in one."""

    town: str
    village: str = ""


class Unit(Struct, frozen=True):
    """A unit that handles requests."""

    name: str
    aliases: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()


class Words(Struct, frozen=True):
    """Lists of telling words; see data/words.toml."""

    urgent: tuple[str, ...]
    confidential: tuple[str, ...]
    not_confidential: tuple[str, ...]
    request_type: dict[str, tuple[str, ...]]
    category: dict[str, tuple[str, ...]]
    category_of_form: dict[str, str]


class Reference:
    """All reference data, loaded once and shared."""

    def __init__(
        self,
        places: tuple[Place, ...],
        units: tuple[Unit, ...],
        enterprises: tuple[str, ...],
        words: Words,
        surnames: frozenset[str],
        taxonomy: tuple[tuple[str, str, str], ...],
    ) -> None:
        self.places = places
        self.units = units
        self.enterprises = enterprises
        self.words = words
        self.surnames = surnames
        self.taxonomy = taxonomy

    @cached_property
    def towns(self) -> tuple[str, ...]:
        """The towns and streets, each once, in file order."""
        return tuple(dict.fromkeys(place.town for place in self.places))

    @cached_property
    def villages(self) -> dict[str, str]:
        """Village or community → its town."""
        return {place.village: place.town for place in self.places if place.village}


def load_reference(
    places: Path | None = None, units: Path | None = None, enterprises: Path | None = None
) -> Reference:
    """Load the data; the shipped example district where no file is given.

    Raises:
        ReferenceDataError: a file is missing or malformed.
    """
    words = tomllib.loads((DATA / "words.toml").read_text(encoding="utf-8"))
    surnames = (DATA / "surnames.txt").read_text(encoding="utf-8").strip()
    return Reference(
        places=tuple(
            Place(row["town"], row["village"])
            for row in read_rows(places or DATA / "places.tsv", "town", "village")
        ),
        units=tuple(
            Unit(row["unit"], *(_split(row[name]) for name in ("aliases", "words", "categories")))
            for row in read_rows(units or DATA / "units.tsv", "unit", "aliases", "words", "categories")
        ),
        enterprises=tuple(row["name"] for row in read_rows(enterprises, "name")) if enterprises else (),
        words=Words(
            urgent=tuple(words["urgent"]),
            confidential=tuple(words["confidential"]),
            not_confidential=tuple(words["not_confidential"]),
            request_type={kind: tuple(cues) for kind, cues in words["request_type"].items()},
            category={name: tuple(cues) for name, cues in words["category"].items()},
            category_of_form=dict(words["category_of_form"]),
        ),
        surnames=frozenset(surnames)
        | {"欧阳", "司马", "上官", "诸葛", "东方", "皇甫", "尉迟", "公孙", "慕容", "司徒"},
        taxonomy=tuple(
            (row["level1"], row["level2"], row["level3"])
            for row in read_rows(DATA / "categories.tsv", "level1", "level2", "level3")
        ),
    )


def _split(text: str) -> tuple[str, ...]:
    return tuple(part for part in text.split("、") if part)


def read_rows(path: Path, *columns: str) -> list[dict[str, str]]:
    """The rows of a data file.

    Raises:
        ReferenceDataError: it is missing, not UTF-8, or lacks a column.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ReferenceDataError(f"{path}: cannot be read as UTF-8 text ({error})") from error
    reader = csv.DictReader(
        (line for line in lines if line.strip() and not line.startswith("#")),
        delimiter="\t",
        quoting=csv.QUOTE_NONE,
    )
    missing = [name for name in columns if name not in (reader.fieldnames or ())]
    if missing:
        raise ReferenceDataError(
            f"{path}: column {', '.join(missing)} is missing; the first line must name"
            f" {', '.join(columns)}, separated by tabs"
        )
    return [{name: (row.get(name) or "").strip() for name in columns} for row in reader]
