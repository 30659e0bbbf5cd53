"""Callers' numbers as trunks deliver them: the same subscriber appears in several forms. Pure."""

import re

_NUMBER = re.compile(r"\+?[0-9]{3,20}")
_MOBILE = re.compile(r"1[3-9][0-9]{9}")
_SEPARATORS = re.compile(r"[\s().-]")


def national(number: str) -> str | None:
    """Strip the prefixes trunks add: `+86 138…`, `0086138…`, `0138…` → `138…`.

    A landline keeps the 0 of its area code. Returns `None` if there is no number (withheld, `anonymous`, a
    SIP name).
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
    """Return every form in which this subscriber's number may be stored; empty for a withheld number."""
    bare = national(number)
    if bare is None:
        return ()
    abroad = bare.removeprefix("0")
    told = [number, bare, f"+86{abroad}", f"86{abroad}", f"0086{abroad}"]
    if _MOBILE.fullmatch(bare):
        told.append(f"0{bare}")
    return tuple(dict.fromkeys(told))
