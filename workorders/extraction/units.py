"""Suggest the unit that should handle the request: what is it about, who does that, which unit is it? Pure.

There are three steps, so that any directory works. The matter's words and the classifier (trained on who
answered thousands of messages) choose a function (职能); the function selects a unit of the directory by
name; a unit named in the call (我转给人社局) outweighs both.
"""

from collections import defaultdict
from collections.abc import Sequence
from functools import lru_cache

from domain.calls import Side
from domain.orders import Method
from domain.transcripts import Utterance
from workorders.directories.reference import Function, Reference, Unit
from workorders.extraction.cues import Cue, CueBook
from workorders.extraction.lessons import Taught
from workorders.extraction.offered import Found, field
from workorders.extraction.spoken import Span

NAMED_LEAST = 0.9
TAUGHT_RIGHT, TAUGHT_WRONG = 4.0, 0.8
"""What an order about the same that came back gives the unit that took it, and takes from the one that did
not: less than a unit that is named in the call gets, more than most matters' words."""
LOWER = ("镇", "街道", "村", "社区", "学校", "分局", "所", "站", "科", "大队", "中队")


@lru_cache(maxsize=4)
def matter_books(reference: Reference) -> tuple[CueBook, CueBook]:
    """Cue books that lead to a function, and straight to a unit of the directory."""
    functions = CueBook({one.id: one.words for one in reference.functions})
    units = CueBook({one.name: one.words for one in reference.units if one.words})
    return functions, units


@lru_cache(maxsize=4)
def _by_function(reference: Reference) -> dict[str, tuple[Unit, ...]]:
    """Map each function to the units that have it, those of the whole district first."""
    found: dict[str, tuple[Unit, ...]] = {}
    for function in reference.functions:
        mine = [(_fit(unit, function, reference), unit) for unit in reference.units]
        ranked = sorted((one for one in mine if one[0] > 0), key=lambda one: (-one[0], len(one[1].name)))
        found[function.id] = tuple(unit for _, unit in ranked)
    return found


def _fit(unit: Unit, function: Function, reference: Reference) -> float:
    names = [
        (len(function.names) - at) / len(function.names)
        for at, name in enumerate(function.names)
        if name in unit.name
    ]
    if not names and any(name in alias for alias in unit.aliases for name in function.names):
        names = [0.3]
    if not names:
        return 0.0
    fit = 2.0 + max(names)
    if unit.name.startswith("区"):
        fit += 1.0
    if unit.towns or any(town in unit.name for town in reference.towns):
        fit -= 1.5
    if any(ending in unit.name[2:] for ending in LOWER) and not unit.name.endswith("公安分局"):
        fit -= 0.6
    return fit


def unit(
    utterances: Sequence[Utterance],
    reference: Reference,
    *,
    form: str,
    category: str | None,
    learned: dict[str, float],
    town: Found | None,
    praised: bool,
    taught: Taught,
) -> dict[str, Found]:
    """Suggest the `unit`, with the next likeliest as alternatives."""
    scores: dict[str, float] = defaultdict(float)
    spans: dict[str, list[Span]] = defaultdict(list)
    named: set[str] = set()
    functions, own = matter_books(reference)
    heard: dict[str, list[Cue]] = defaultdict(list)
    for cue in functions.hear(utterances):
        heard[cue.tag].append(cue)
    by_function = _by_function(reference)
    for function in reference.functions:
        told = 0.0
        seen: set[str] = set()
        for cue in heard[function.id]:
            voice = 1.0 if cue.span.utterance.side is Side.CALLER else 0.35
            again = 0.4 if cue.phrase in seen else 1.0
            seen.add(cue.phrase)
            told += (len(cue.phrase) - 1) ** 0.7 * cue.weight * voice * again
        told += 2.5 * learned.get(function.id, 0.0)
        if category is not None and category in function.categories:
            told += 1.2
        if form == "talent" and function.id == "talent":
            told += 2.5
        if told < 0.5:
            continue
        for place, one in enumerate(_near(by_function[function.id], town)[:2]):
            scores[one.name] = max(scores[one.name], told * (1.0 if place == 0 else 0.35))
            spans[one.name] += [cue.span for cue in heard[function.id]]
    for cue in own.hear(utterances):
        if cue.span.utterance.side is Side.CALLER:
            scores[cue.tag] += (len(cue.phrase) - 1) ** 0.7 * cue.weight
            spans[cue.tag].append(cue.span)
    index = reference.unit_index
    for said in utterances:
        for found in index.index.search(said.text, NAMED_LEAST, 4):
            # Two characters sound like too many other things.
            if len(found.name) < 3 or (not found.exact and found.likeness < 0.95 and len(found.name) < 6):
                continue
            one = reference.units[index.owner(found.index)]
            turned = said.side is Side.AGENT or said.text[: found.start].endswith(
                ("转给", "转", "找", "通知", "联系")
            )
            scores[one.name] += (5.0 if turned else 2.5) * found.likeness
            spans[one.name].insert(0, Span(said, found.start, found.end))
            named.add(one.name)
    for name, sure in taught.wrong.items():
        if name in scores and name not in named:
            scores[name] *= 1.0 - TAUGHT_WRONG * sure
    for name, sure in taught.right.items():
        scores[name] += TAUGHT_RIGHT * sure
    result: list[tuple[str, float, list[Span]]] = []
    if town is not None and praised and not named:
        # The caller praises the town's own people: no other unit is concerned.
        result.append((str(town.value.value), 0.9 * town.value.confidence, []))
    total = sum(sorted(scores.values())[-4:]) + 1.0
    for name in sorted(scores, key=lambda one: -scores[one])[:4]:
        strength = min(1.0, scores[name] / 4.0)
        result.append((name, (0.25 + 0.75 * scores[name] / total) * (0.55 + 0.45 * strength), spans[name]))
    if not result and town is not None:
        result.append((str(town.value.value), 0.5 * town.value.confidence, []))
    if not result:
        return {}
    made = [
        field(name, sure, Method.RULE, *where)
        if where or town is None
        else field(name, sure, Method.RULE).__class__(name, round(sure, 3), Method.RULE, town.value.evidence)
        for name, sure, where in result
    ]
    return {"unit": Found(made[0], tuple(made[1:3]))}


def _near(units: tuple[Unit, ...], town: Found | None) -> tuple[Unit, ...]:
    """Return the units that serve the place first, and none of other towns."""
    where = str(town.value.value) if town is not None else None
    own = tuple(one for one in units if where is not None and where in one.towns)
    rest = tuple(one for one in units if not one.towns)
    return own + rest
