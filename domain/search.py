"""The searchable form of a text: what is written and what is asked are folded alike. Pure.

Full-width and half-width forms are one (NFKC), case does not count, and neither do spaces and punctuation:
「路灯，坏了」 is found by 「路灯坏了」. Parts are separated by a line break, which no term can hold, so that
nothing is found across the border of two utterances or two fields.
"""

import unicodedata
from collections.abc import Iterable

MAX_TERMS = 8
MAX_TERM = 64


def fold(text: str) -> str:
    """One part in its searchable form: letters, digits and characters only."""
    return "".join(c for c in unicodedata.normalize("NFKC", text).casefold() if c.isalnum())


def searchable(parts: Iterable[str]) -> str:
    """Several parts as one searchable text; each ends with a line break."""
    return "".join(f"{folded}\n" for part in parts if (folded := fold(part)))


def terms(query: str) -> tuple[str, ...]:
    """The terms of a query, which must all be found: its words, folded.

    At most `MAX_TERMS` terms of at most `MAX_TERM` characters count.
    """
    found = dict.fromkeys(folded[:MAX_TERM] for word in query.split() if (folded := fold(word)))
    return tuple(found)[:MAX_TERMS]
