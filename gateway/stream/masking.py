"""Telephone numbers for eyes that need not see them whole."""

import re
from typing import Any

from gateway.models.queue import SHOWN_TO_AGENTS

_DIGITS = re.compile(r"\d{7,}")


def mask_number(text: str) -> str:
    """`13800138000` → `138****8000`; every run of seven digits or more in `text`, others are left."""
    return _DIGITS.sub(lambda run: f"{run[0][:3]}****{run[0][-4:]}", text)


def mask(topic: str, value: Any) -> Any:
    """The masked form of one item of the live view (plain data in, plain data out).

    Only callers who wait are masked today: `queues` → `waiting[].caller`; of a long line the head is left.
    """
    if topic != "queues":
        return value
    waiting = [
        {**entry, "caller": mask_number(entry.get("caller", ""))}
        for entry in value["waiting"][:SHOWN_TO_AGENTS]
    ]
    return {**value, "waiting": waiting}
