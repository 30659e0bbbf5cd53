"""The searchable form of text: stored texts and queries are folded alike. Pure.

Folding ignores case, spaces, punctuation and the difference between full-width and half-width forms (NFKC):
「路灯坏了」 finds 「路灯，坏了」. Parts are separated by a line break, which no term can contain, so that a
match never spans two utterances or two fields.
"""

import unicodedata
from collections.abc import Iterable

MAX_TERMS = 8
MAX_TERM = 64


def fold(text: str) -> str:
    """Fold one part: only letters, digits and Chinese characters remain."""
    return "".join(c for c in unicodedata.normalize("NFKC", text).casefold() if c.isalnum())


def searchable(parts: Iterable[str]) -> str:
    """Fold several parts into one searchable text; each part ends with a line break."""
    return "".join(f"{folded}\n" for part in parts if (folded := fold(part)))


def terms(query: str) -> tuple[str, ...]:
    """Split a query into its folded words, all of which must be found.

    Returns at most `MAX_TERMS` terms, each cut to `MAX_TERM` characters.
    """
    found = dict.fromkeys(folded[:MAX_TERM] for word in query.split() if (folded := fold(word)))
    return tuple(found)[:MAX_TERMS]
