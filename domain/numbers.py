"""Callers' numbers as trunks write them: the same subscriber in several forms. Pure."""

import re

_NUMBER = re.compile(r"\+?[0-9]{3,20}")
_MOBILE = re.compile(r"1[3-9][0-9]{9}")
_SEPARATORS = re.compile(r"[\s().-]")


def national(number: str) -> str | None:
    """The number without what trunks put before it: `+86 138…`, `0086138…`, `0138…` → `138…`.

    A landline keeps the 0 of its area code. `None`: no number (withheld, `anonymous`, a SIP name).
    """
    bare = _SEPARATORS.sub("", number)
    if not _NUMBER.fullmatch(bare):
        return None
    for prefix in ("+86", "0086"):
        if bare.startswith(prefix):
            rest = bare.removeprefix(prefix)
            return rest if _MOBILE.fullmatch(rest) or rest.startswith(("0", "400", "800")) else f"0{rest}"
    return bare[1:] if _MOBILE.fullmatch(bare[1:]) and bare[0] == "0" else bare


def forms(number: str) -> tuple[str, ...]:
    """Each way in which this subscriber may have been written down; empty for a withheld number."""
    bare = national(number)
    if bare is None:
        return ()
    abroad = bare.removeprefix("0")
    told = [number, bare, f"+86{abroad}", f"86{abroad}", f"0086{abroad}"]
    if _MOBILE.fullmatch(bare):
        told.append(f"0{bare}")
    return tuple(dict.fromkeys(told))
