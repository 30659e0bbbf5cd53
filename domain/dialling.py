"""Which outside numbers may be dialled: an allow-list of fixed-length patterns. Pure."""

import re
from collections.abc import Collection, Iterable

from msgspec import Struct

NUMBER = r"^\+?[0-9*#]{1,32}$"
"""A dialled number: digits, `*` and `#`, with at most one leading `+`. Nothing else reaches a PBX."""

_ATOM = re.compile(r"[0-9*#+XZN]|\[[0-9](?:-[0-9])?(?:[0-9](?:-[0-9])?)*\]")
_CLASSES = {"X": "[0-9]", "Z": "[1-9]", "N": "[2-9]"}
MAX_PATTERN = 32


def dial_regex(pattern: str) -> re.Pattern[str]:
    """Compile an Asterisk extension pattern (without the leading `_`) to a regex for `fullmatch`.

    `.` and `!` are rejected: they match any length, and a hole in the allow-list costs money.

    Raises:
        ValueError: the pattern is invalid; the message says what is allowed.
    """
    parts = _ATOM.findall(pattern)
    if not parts or "".join(parts) != pattern or len(parts) > MAX_PATTERN:
        raise ValueError(
            f"{pattern!r} is not a dial pattern: use 0-9 * # +, X (0-9), Z (1-9), N (2-9) and [1-5];"
            " . and ! are not allowed, write one pattern for each length"
        )
    return re.compile(
        "".join(_CLASSES.get(part, re.escape(part) if len(part) == 1 else part) for part in parts)
    )


class DialRule(Struct, frozen=True):
    """Numbers and who may dial them. Empty `roles` or `lines` mean no such condition."""

    patterns: tuple[str, ...]
    roles: frozenset[str] = frozenset()
    lines: frozenset[str] = frozenset()

    @property
    def for_everyone(self) -> bool:
        """Whether the rule has no conditions, so that the numbers can also be dialled on the phone itself."""
        return not self.roles and not self.lines

    def permits(self, number: str, role: str, lines: Collection[str]) -> bool:
        """Whether this rule lets a user with `role` who serves `lines` dial `number`."""
        return (
            (not self.roles or role in self.roles)
            and (not self.lines or not self.lines.isdisjoint(lines))
            and any(dial_regex(pattern).fullmatch(number) for pattern in self.patterns)
        )


def permitted(rules: Iterable[DialRule], number: str, role: str, lines: Collection[str]) -> DialRule | None:
    """Return the first rule that permits dialling `number`, or `None` if it is forbidden."""
    return next((rule for rule in rules if rule.permits(number, role, lines)), None)
