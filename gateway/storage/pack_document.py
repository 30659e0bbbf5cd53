"""What a pack holds of one call, or of none. Pure.

Each fact is written as what changed since the one before that is most like it, with all members of the same
name together. Nothing is compressed here; what is alike is only brought together.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate
from typing import Any

import msgspec
from msgspec import Struct

from gateway.storage.patches import Json, Patch, made_of_nothing, patch_of, patched
from gateway.storage.shorthand import Shorthand

SLOT = "#"
_NOTHING = object()


class PackedFact(Struct, frozen=True):
    """One row of the journal: its place, the fact's id (`None` before version 0.2), and the fact."""

    seq: int
    id: int | None
    fact: Json
    """As JSON; a text, where it could not be read when it was packed."""


class Document(Struct, array_like=True):
    """Facts, in order."""

    seqs: list[int]
    """The first, then differences; likewise `ids`."""
    ids: list[int | None]
    shapes: list[list[str]]
    """Names of members that occur together."""
    columns: list[list[list[Any]]]
    """For each shape, for each of its names: the patches, in the order in which they are read."""
    facts: list[Any]


_decode = msgspec.json.Decoder(Document).decode


def document_of(facts: Sequence[PackedFact]) -> bytes:
    """The facts as one line of JSON."""
    columns, shorthand = _Columns(), Shorthand()
    short = [_escaped(shorthand.short(one.fact)) for one in facts]
    bases = _Bases(short)
    document = Document(
        seqs=_steps([one.seq for one in facts]),
        ids=_id_steps([one.id for one in facts]),
        shapes=columns.shapes,
        columns=columns.columns,
        facts=[columns.put(bases.patch(one)) for one in short],
    )
    return msgspec.json.encode(document)


def facts_of(document: bytes | str) -> list[PackedFact]:
    """The facts of a document.

    Raises:
        ValueError, TypeError, LookupError, RuntimeError: it is none.
    """
    told = _decode(document)
    reader, bases, shorthand = _Reader(told), _Bases(), Shorthand()
    places = zip(accumulate(told.seqs), _ids(told.ids), told.facts, strict=True)
    return [
        PackedFact(seq, identity, shorthand.long(bases.fact(reader.take(one))))
        for seq, identity, one in places
    ]


def _escaped(fact: Json) -> Json:
    """Whole, in a list, where a member's name could be taken for a slot's."""
    slots = type(fact) is dict and any(name.startswith(SLOT) for name in fact)
    return [fact] if slots else fact


class _Bases:
    """What a member of a fact is compared with: the last of its name and id, or of its name alone.

    Ids that occur more than once are slots, numbered as they come; a member whose slot is not that of the
    last one of its name says so beside it (`#name`).
    """

    def __init__(self, facts: Iterable[Json] = ()) -> None:
        """`facts`: all that will be written."""
        often = Counter(_identity(name, one) for fact in facts for name, one in _members(fact))
        slots = [key for key, count in often.items() if key is not None and count > 1]
        self._slots: dict[tuple[str, str] | None, int] = {key: n for n, key in enumerate(slots, 1)}
        self._slot: dict[str, int] = {}
        self._values: dict[tuple[str, int], Json] = {}
        self._last: dict[str, Json] = {}

    def patch(self, fact: Json) -> Patch:
        """What is written of the next fact."""
        if type(fact) is not dict:
            return made_of_nothing(fact)
        changes: dict[str, Patch] = {}
        for name, value in fact.items():
            slot = self._slots.get(_identity(name, value), 0)
            if slot != self._slot.get(name, 0):
                changes[SLOT + name] = [slot]
            base = self._turn_to(name, slot)
            changes[name] = made_of_nothing(value) if base is _NOTHING else patch_of(base, value)
            self._keep(name, slot, value)
        return changes

    def fact(self, patch: Patch) -> Json:
        """The next fact, of what was written of it."""
        if type(patch) is not dict:
            return patched(None, patch)
        fact: dict[str, Json] = {}
        slots: dict[str, int] = {}
        for name, change in patch.items():
            if name.startswith(SLOT):
                slots[name[len(SLOT) :]] = change[0]
                continue
            slot = slots.get(name, self._slot.get(name, 0))
            base = self._turn_to(name, slot)
            fact[name] = base if change is None else patched(base, change)
            self._keep(name, slot, fact[name])
        return fact

    def _turn_to(self, name: str, slot: int) -> Json:
        return self._values.get((name, slot), self._last.get(name, _NOTHING))

    def _keep(self, name: str, slot: int, value: Json) -> None:
        self._slot[name] = slot
        self._values[name, slot] = self._last[name] = value


def _members(fact: Json) -> Iterable[tuple[str, Json]]:
    return fact.items() if type(fact) is dict else ()


def _identity(name: str, value: Json) -> tuple[str, str] | None:
    if type(value) is not dict:
        return None
    identity = value.get("id") or value.get("uniqueid")
    return (name, identity) if type(identity) is str else None


class _Columns:
    """Objects taken apart: the members of all objects of one shape, together."""

    def __init__(self) -> None:
        self.shapes: list[list[str]] = []
        self.columns: list[list[list[Any]]] = []
        self._numbers: dict[tuple[str, ...], int] = {}

    def put(self, patch: Patch) -> Any:
        """What stands for the patch: the number of its shape, where it is an object."""
        kind = type(patch)
        if kind is dict:
            return self._object(patch)
        if kind is list:
            if len(patch) == 2:
                return [patch[0], {index: self.put(one) for index, one in patch[1].items()}]
            if type(patch[0]) is list:
                return [[self.put(one) for one in patch[0]]]
        return patch

    def _object(self, patch: dict[str, Patch]) -> int:
        names = tuple(patch)
        number = self._numbers.get(names)
        if number is None:
            number = self._numbers[names] = len(self.shapes)
            self.shapes.append(list(names))
            self.columns.append([[] for _ in names])
        for column, one in zip(self.columns[number], patch.values(), strict=True):
            # Its place first: objects within it may be of the same shape.
            place = len(column)
            column.append(None)
            column[place] = self.put(one)
        return number


class _Reader:
    """Objects put together again."""

    def __init__(self, document: Document) -> None:
        self._shapes = document.shapes
        self._columns = [[iter(column) for column in columns] for columns in document.columns]

    def take(self, one: Any) -> Patch:
        """The patch that `one` stands for."""
        kind = type(one)
        if kind is int:
            names, columns = self._shapes[one], self._columns[one]
            return {name: self.take(next(column)) for name, column in zip(names, columns, strict=True)}
        if kind is list:
            if len(one) == 2:
                return [one[0], {index: self.take(change) for index, change in one[1].items()}]
            if type(one[0]) is list:
                return [[self.take(element) for element in one[0]]]
        return one


def _steps(numbers: Sequence[int]) -> list[int]:
    return [number - before for before, number in zip((0, *numbers), numbers, strict=False)]


def _id_steps(ids: Sequence[int | None]) -> list[int | None]:
    last, steps = 0, []
    for identity in ids:
        steps.append(None if identity is None else identity - last)
        last = last if identity is None else identity
    return steps


def _ids(steps: Sequence[int | None]) -> Iterator[int | None]:
    last = 0
    for step in steps:
        if step is not None:
            last += step
        yield None if step is None else last
