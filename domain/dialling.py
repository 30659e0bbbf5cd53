"""Which numbers may be dialled outside: an allow-list of fixed-length patterns. Pure."""

import re
from collections.abc import Collection, Iterable

from msgspec import Struct

NUMBER = r"^\+?[0-9*#]{1,32}$"
"""A dialled number: digits, * and #, with one + in front at most. Nothing else reaches a PBX."""

_ATOM = re.compile(r"[0-9*#+XZN]|\[[0-9](?:-[0-9])?(?:[0-9](?:-[0-9])?)*\]")
_CLASSES = {"X": "[0-9]", "Z": "[1-9]", "N": "[2-9]"}
MAX_PATTERN = 32


def dial_regex(pattern: str) -> re.Pattern[str]:
    """Asterisk's extension pattern (without the leading `_`) as a regular expression for `fullmatch`.

    `.` and `!` are refused: what they stand for has no bound, and a leak in the allow-list costs money.

    Raises:
        ValueError: not such a pattern; the text says what may stand in one.
    """
    parts = _ATOM.findall(pattern)
    if not parts or "".join(parts) != pattern or len(parts) > MAX_PATTERN:
        raise ValueError(
            f"{pattern!r} is no dial pattern: use 0-9 * # +, X (0-9), Z (1-9), N (2-9) and [1-5];"
            " . and ! are not allowed, write one pattern for each length"
        )
    return re.compile(
        "".join(_CLASSES.get(part, re.escape(part) if len(part) == 1 else part) for part in parts)
    )


class DialRule(Struct, frozen=True):
    """Numbers, and who may dial them. Empty roles or lines: no such condition."""

    patterns: tuple[str, ...]
    roles: frozenset[str] = frozenset()
    lines: frozenset[str] = frozenset()

    @property
    def for_everyone(self) -> bool:
        """Whether the rule has no condition, so that a phone's own keys may dial it too."""
        return not self.roles and not self.lines

    def permits(self, number: str, role: str, lines: Collection[str]) -> bool:
        """Whether somebody of `role` who serves `lines` may dial `number` by this rule."""
        return (
            (not self.roles or role in self.roles)
            and (not self.lines or not self.lines.isdisjoint(lines))
            and any(dial_regex(pattern).fullmatch(number) for pattern in self.patterns)
        )


def permitted(rules: Iterable[DialRule], number: str, role: str, lines: Collection[str]) -> DialRule | None:
    """The first rule that lets `number` be dialled; `None`: it may not be."""
    return next((rule for rule in rules if rule.permits(number, role, lines)), None)
