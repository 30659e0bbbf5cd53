"""Unique ids of Asterisk's channels: `[<system name>-]<POSIX second>.<count>`. Pure."""

import re

_FORM = re.compile(r"(?:.*-)?([0-9]{1,10})\.([0-9]{1,10})", re.DOTALL)


def created(uniqueid: str) -> tuple[int, int] | None:
    """When the channel was created, POSIX seconds, and its count since the PBX started: sorts by age.

    `None` if the id is of another form.
    """
    found = _FORM.fullmatch(uniqueid)
    return (int(found[1]), int(found[2])) if found else None
