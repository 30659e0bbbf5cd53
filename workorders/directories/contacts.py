"""The contacts directory: persons and organisations known by their number."""

from pathlib import Path

from domain.numbers import national
from domain.screen_pop import Contact, Level
from workorders.directories.reference import DATA, ReferenceDataError, read_rows

CONTACTS = DATA / "contacts.tsv"


def load_contacts(path: Path | None) -> dict[str, Contact]:
    """The contacts directory by number; the shipped example where no file is given.

    Raises:
        ReferenceDataError: the file is missing or malformed.
    """
    path = path or CONTACTS
    found: dict[str, Contact] = {}
    for line, row in read_rows(path, ("number",), ("name", "organisation", "level", "note")):
        number = national(row["number"])
        if number is None:
            raise ReferenceDataError(f"{path}:{line}: {row['number']!r} is no telephone number; digits alone")
        try:
            level = Level(row["level"].lower())
        except ValueError:
            raise ReferenceDataError(
                f"{path}:{line}: level {row['level']!r} is not known; write vip, blacklist, or nothing"
            ) from None
        found.setdefault(number, Contact(row["name"], row["organisation"], level, row["note"]))
    return found
