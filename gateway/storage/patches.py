"""What changed between two JSON values, and the later one again from the earlier. Pure, and exact.

A patch is one of:

- a string or a boolean: the new value
- `[number]` or `[None]`: the new value
- a float: what is added to the float that was there, to six places
- `{key: patch, …}`: an object (else an empty one) of which these members changed; `None`: the member is gone
- `[[patch, …]]`: a new list, each element made of nothing
- `[length, {index: patch, …}]`: a list that is now so long, of which these elements changed

Values are never changed in place: what is unchanged is the same object in both.
"""

from math import copysign
from typing import Any

Json = Any
Patch = Any

PLACES = 6
"""Instants and durations are stored as differences where microseconds tell them exactly."""


def patch_of(old: Json, new: Json) -> Patch | None:
    """The patch that makes `new` of `old`; `None`: there is no difference."""
    if old is new:
        return None
    kind = type(new)
    same_kind = type(old) is kind
    if kind is dict:
        return _of_objects(old, new) if same_kind else _of_objects({}, new) or {}
    if kind is list:
        return _of_lists(old, new) if same_kind and old else None if same_kind and not new else _anew(new)
    if kind is float and same_kind:
        return _of_floats(old, new)
    if same_kind and old == new:
        return None
    return new if kind is str or kind is bool else [new]


def _of_floats(old: float, new: float) -> Patch | None:
    if old == new and copysign(1, old) == copysign(1, new):
        return None
    step = float(round(new - old, PLACES))
    # Exact, or not used.
    return step if new and round(old + step, PLACES) == new else [new]


def _of_objects(old: dict[str, Json], new: dict[str, Json]) -> Patch | None:
    changes: dict[str, Patch] = {}
    for key, value in new.items():
        if key not in old:
            changes[key] = made_of_nothing(value)
        elif (patch := patch_of(old[key], value)) is not None:
            changes[key] = patch
    changes.update((key, None) for key in old if key not in new)
    return changes or None


def _of_lists(old: list[Json], new: list[Json]) -> Patch | None:
    changes = {
        str(index): patch
        for index, (was, value) in enumerate(zip(old, new, strict=False))
        if (patch := patch_of(was, value)) is not None
    }
    if len(old) == len(new) and not changes:
        return None
    changes.update((str(index), made_of_nothing(new[index])) for index in range(len(old), len(new)))
    return [len(new), changes]


def _anew(new: list[Json]) -> Patch:
    return [[made_of_nothing(value) for value in new]]


def made_of_nothing(value: Json) -> Patch:
    """The patch that makes `value` whatever was there."""
    if type(value) is dict:
        return {key: made_of_nothing(member) for key, member in value.items()}
    if type(value) is list:
        return _anew(value)
    return value if type(value) is str or type(value) is bool else [value]


def patched(old: Json, patch: Patch) -> Json:
    """The value that `patch` makes of `old`."""
    kind = type(patch)
    if kind is str or kind is bool:
        return patch
    if kind is float:
        return round(old + patch, PLACES)
    if kind is dict:
        value = dict(old) if type(old) is dict else {}
        for key, change in patch.items():
            if change is None:
                value.pop(key, None)
            else:
                value[key] = patched(value.get(key), change)
        return value
    if len(patch) == 1:
        return [patched(None, one) for one in patch[0]] if type(patch[0]) is list else patch[0]
    length, changes = patch
    items = [*old[:length], *[None] * (length - len(old))]
    for index, change in changes.items():
        items[int(index)] = patched(items[int(index)], change)
    return items
