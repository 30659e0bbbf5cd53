"""The replaceable data files that extraction matches against: places, units, enterprises and so on.

The formats are described in docs/workorders.md: UTF-8, tab-separated; `#` begins a comment line, the first
other line names the columns, and a list within a cell is separated by 、. Nothing is guessed: an error names
the faulty line and its fix.
"""

import tomllib
from functools import cached_property
from pathlib import Path
from typing import Any

from msgspec import Struct

from workorders.directories.sound import SoundIndex

DATA = Path(__file__).parents[1] / "data"
MAX_CELL = 4000
PLACE_FLOOR = 0.4
"""镇 and 村 distinguish places from other words, though not from each other."""


class ReferenceDataError(ValueError):
    """A data file cannot be used; the message names file, line and fix."""


class Place(Struct, frozen=True):
    """A town, or a village or community in one."""

    town: str
    village: str = ""
    aliases: tuple[str, ...] = ()


class Enterprise(Struct, frozen=True):
    """A company; `code` is its unified social credit code (GB 32100)."""

    name: str
    aliases: tuple[str, ...] = ()
    code: str = ""
    town: str = ""


class Unit(Struct, frozen=True):
    """A unit that handles requests.

    `towns` limits where it does so (empty: everywhere); `phone` takes transferred calls.
    """

    name: str
    aliases: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    towns: tuple[str, ...] = ()
    phone: str = ""


class Term(Struct, frozen=True):
    """A term used on the lines; `kind` is `policy` (an answer may name it) or anything else."""

    term: str
    kind: str = ""


class Function(Struct, frozen=True):
    """What one kind of public body does: what such bodies are called, and the words for their matters."""

    id: str
    names: tuple[str, ...]
    words: tuple[str, ...]
    categories: tuple[str, ...]


class Words(Struct, frozen=True):
    """Lists of key words; see data/words.toml."""

    urgent: tuple[str, ...]
    life_safety: tuple[str, ...]
    confidential: tuple[str, ...]
    not_confidential: tuple[str, ...]
    request_type: dict[str, tuple[str, ...]]
    outright: dict[str, tuple[str, ...]]
    category: dict[str, tuple[str, ...]]
    category_of_form: dict[str, str]
    below: dict[str, tuple[str, ...]]
    """`level2/level3` of the taxonomy → words callers use for it."""


class Named:
    """A list whose members each have several names, searchable by sound."""

    def __init__(self, names: list[tuple[str, int]], *, floor: float = 0.12) -> None:
        self.index = SoundIndex([name for name, _ in names], floor=floor)
        self._owner = [owner for _, owner in names]

    def owner(self, index: int) -> int:
        """Return the list position of the member that has name number `index`."""
        return self._owner[index]


class Reference:
    """All reference data, loaded once and shared; indexes are built on first use."""

    def __init__(
        self,
        *,
        places: tuple[Place, ...],
        units: tuple[Unit, ...],
        enterprises: tuple[Enterprise, ...],
        glossary: tuple[Term, ...],
        taxonomy: tuple[tuple[str, str, str], ...],
        functions: tuple[Function, ...],
        words: Words,
        surnames: tuple[str, ...],
        surname_words: dict[str, tuple[str, ...]],
    ) -> None:
        self.places, self.units, self.enterprises = places, units, enterprises
        self.glossary, self.taxonomy, self.functions, self.words = glossary, taxonomy, functions, words
        self.surnames, self.surname_words = surnames, surname_words

    @cached_property
    def towns(self) -> tuple[str, ...]:
        """Towns and streets without duplicates, in file order."""
        return tuple(dict.fromkeys(place.town for place in self.places))

    @cached_property
    def villages(self) -> tuple[Place, ...]:
        """Villages and communities; a name may occur in two towns."""
        return tuple(place for place in self.places if place.village)

    @cached_property
    def town_index(self) -> Named:
        aliases = {place.town: place.aliases for place in self.places if not place.village}
        return Named(
            [(name, at) for at, town in enumerate(self.towns) for name in (town, *aliases.get(town, ()))],
            floor=PLACE_FLOOR,
        )

    @cached_property
    def village_index(self) -> Named:
        return Named(
            [(name, at) for at, one in enumerate(self.villages) for name in (one.village, *one.aliases)],
            floor=PLACE_FLOOR,
        )

    @cached_property
    def enterprise_index(self) -> Named:
        return Named(
            [(name, at) for at, one in enumerate(self.enterprises) for name in (one.name, *one.aliases)]
        )

    @cached_property
    def unit_index(self) -> Named:
        return Named([(name, at) for at, one in enumerate(self.units) for name in spoken_names(one)])

    def hot_words(self, limit: int = 60) -> tuple[str, ...]:
        """Return names worth giving the recogniser in advance: glossary, then towns, units, enterprises."""
        names = [term.term for term in self.glossary]
        names += self.towns
        names += [unit.name for unit in self.units if len(self.units) <= limit]
        names += [one.name for one in self.enterprises if len(self.enterprises) <= limit]
        return tuple(dict.fromkeys(names))[:limit]


def spoken_names(unit: Unit) -> tuple[str, ...]:
    """Return a unit's name and its common short forms, without the district in front."""
    bare = unit.name.removeprefix("区")
    return tuple(dict.fromkeys((unit.name, bare, *unit.aliases)))


def load_reference(
    places: Path | None = None,
    units: Path | None = None,
    enterprises: Path | None = None,
    glossary: Path | None = None,
    taxonomy: Path | None = None,
) -> Reference:
    """Load the data; for files not given, the example district that ships with the package.

    Raises:
        ReferenceDataError: a file is missing or malformed.
    """
    words = tomllib.loads((DATA / "words.toml").read_text(encoding="utf-8"))
    functions = tomllib.loads((DATA / "functions.toml").read_text(encoding="utf-8"))
    surnames = (DATA / "surnames.txt").read_text(encoding="utf-8").split("\n")
    return Reference(
        places=_places(places or DATA / "places.tsv"),
        units=tuple(
            Unit(
                row["unit"],
                aliases=_split(row["aliases"]),
                words=_split(row["words"]),
                categories=_split(row["categories"]),
                towns=_split(row["towns"]),
                phone=row["phone"],
            )
            for row in _unique(
                units or DATA / "units.tsv", ("unit",), ("aliases", "words", "categories", "towns", "phone")
            )
        ),
        enterprises=tuple(
            Enterprise(row["name"], _split(row["aliases"]), row["code"], row["town"])
            for row in _unique(
                enterprises or DATA / "enterprises.tsv", ("name",), ("aliases", "code", "town")
            )
        ),
        glossary=tuple(
            Term(row["term"], row["kind"])
            for row in _unique(glossary or DATA / "glossary.tsv", ("term",), ("kind",))
        ),
        taxonomy=tuple(
            (row["level1"], row["level2"], row["level3"])
            for _, row in read_rows(taxonomy or DATA / "categories.tsv", ("level1", "level2", "level3"))
        ),
        functions=tuple(
            Function(name, tuple(one["names"]), tuple(one["words"]), tuple(one["categories"]))
            for name, one in functions.items()
        ),
        words=_words(words),
        surnames=tuple(one for one in surnames if one and not one.startswith("#")),
        surname_words={
            row["surname"]: _split(row["words"])
            for _, row in read_rows(DATA / "surname_words.tsv", ("surname", "words"))
        },
    )


def _words(data: dict[str, Any]) -> Words:
    def several(name: str) -> dict[str, tuple[str, ...]]:
        return {key: tuple(cues) for key, cues in data[name].items()}

    return Words(
        urgent=tuple(data["urgent"]),
        life_safety=tuple(data["life_safety"]),
        confidential=tuple(data["confidential"]),
        not_confidential=tuple(data["not_confidential"]),
        request_type=several("request_type"),
        outright=several("outright"),
        category=several("category"),
        category_of_form=dict(data["category_of_form"]),
        below=several("below"),
    )


def _places(path: Path) -> tuple[Place, ...]:
    found: dict[tuple[str, str], Place] = {}
    for number, row in read_rows(path, ("town",), ("village", "aliases")):
        key = row["town"], row["village"]
        if not row["town"]:
            raise ReferenceDataError(
                f"{path}:{number}: the town is empty; name the town of {row['village']!r}"
            )
        found.setdefault(key, Place(*key, _split(row["aliases"])))
    return tuple(found.values())


def _unique(path: Path, columns: tuple[str, ...], optional: tuple[str, ...]) -> list[dict[str, str]]:
    key = columns[0]
    seen: set[str] = set()
    rows = []
    for number, row in read_rows(path, columns, optional):
        name = row[key]
        if not name:
            raise ReferenceDataError(f"{path}:{number}: {key} is empty; fill it in or take the line out")
        if name not in seen:
            # A duplicate name is harmless: the first one wins.
            seen.add(name)
            rows.append(row)
    return rows


def _split(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split("、") if part.strip())


def read_rows(
    path: Path, columns: tuple[str, ...], optional: tuple[str, ...] = ()
) -> list[tuple[int, dict[str, str]]]:
    """Read a data file as (line number, row) pairs; missing `optional` columns are empty.

    Raises:
        ReferenceDataError: the file is missing, not UTF-8, lacks a column, or has a malformed line.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ReferenceDataError(
            f"{path}: cannot be read as UTF-8 text ({error}); correct its name under"
            " [reference] or save it as UTF-8"
        ) from error
    header: list[str] | None = None
    rows = []
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.startswith("#"):
            continue
        cells = [cell.strip() for cell in line.split("\t")]
        if header is None:
            header = cells
            if missing := [name for name in columns if name not in header]:
                raise ReferenceDataError(
                    f"{path}:{number}: column {', '.join(missing)} is missing; the first line must name"
                    f" {', '.join((*columns, *optional))} (those after {columns[-1]} may be left out),"
                    " separated by tabs"
                )
            continue
        if len(cells) > len(header):
            raise ReferenceDataError(
                f"{path}:{number}: {len(cells)} cells for {len(header)} columns; take the extra tab out"
            )
        if any(len(cell) > MAX_CELL or not cell.replace("\u3000", " ").isprintable() for cell in cells):
            raise ReferenceDataError(
                f"{path}:{number}: a control character or an endless cell; retype the line"
            )
        row = dict(zip(header, [*cells, *[""] * (len(header) - len(cells))], strict=True))
        rows.append((number, {name: row.get(name, "") for name in (*columns, *optional)}))
    if header is None:
        raise ReferenceDataError(f"{path}: it is empty; its first line must name {', '.join(columns)}")
    return rows
