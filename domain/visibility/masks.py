"""Masked forms of numbers, names and addresses, for those who may not see them in full. Pure."""

import re
from collections.abc import Callable, Iterable, Sequence

HIDDEN = "***"
"""Replaces what is not shown at all."""
LEAST = 4
"""At least this many digits of a number are hidden."""
LEFT = 7
"""At most this many digits remain visible: three at the front, four at the end."""
ADDRESS_LEFT = 3
_NUMERAL = r"[\d〇零一二两三四五六七八九幺]"
# Also matches numbers as spoken, and with separators between the groups: 138 0013 8000, 幺三八，零零幺三…
_NUMBER = re.compile(rf"{_NUMERAL}(?:[ \-－—,，、.]{{0,2}}{_NUMERAL}){{6,}}")
_ANY = re.compile(_NUMERAL)

Mask = Callable[[str], str]


def mask_number(text: str) -> str:
    """Mask every run of seven or more digits in `text`: `13800138000` → `138****8000`.

    Each hidden digit becomes one star, so that offsets into the text stay valid.
    """
    return _NUMBER.sub(lambda run: _starred(run[0]), text)


def mask_digits(text: str) -> str:
    """Mask `text` that is a number as a whole: like `mask_number`, but short ones too, keeping two digits."""
    masked = mask_number(text)
    return masked if masked != text or "*" in text else _stars(text, 0, 2)


def mask_name(name: str) -> str:
    """Mask a name: `王小芳` → `王**`."""
    return name[:1] + "*" * len(name[1:])


def mask_address(text: str) -> str:
    """Mask an address: `人民路12号3单元` → `人民路***`, which does not reveal the length of the rest."""
    return text[:ADDRESS_LEFT] + HIDDEN if text else ""


def without(text: str, known: Iterable[tuple[str, str]]) -> str:
    """Replace each known original in `text` by its masked form. `known`: (original, masked)."""
    for original, masked in known:
        text = text.replace(original, masked)
    return text


def put_back(sent: str, sources: Sequence[str], mask: Mask, known: Iterable[tuple[str, str]] = ()) -> str:
    """Undo masking in `sent`, an edited copy of `mask(source)`: masked pieces left in it become originals.

    `sources` are the texts that were shown masked, most likely first. Nothing is restored that does not occur
    in one of them.
    """
    for source in sources:
        if sent == mask(source):
            return source
    for source in sources:
        pieces = [run[0] for run in _NUMBER.finditer(source)]
        pieces += [original for original, _ in known if original in source]
        masks = dict(known)
        for piece in pieces:
            sent = sent.replace(masks.get(piece, mask_number(piece)), piece)
    return sent


def _starred(run: str) -> str:
    count = len(_ANY.findall(run))
    left = count - max(LEAST, count - LEFT)
    tail = (left + 1) // 2
    return _stars(run, left - tail, tail)


def _stars(run: str, head: int, tail: int) -> str:
    count = len(_ANY.findall(run))
    places = iter(range(count))
    return _ANY.sub(lambda digit: digit[0] if not head <= next(places) < count - tail else "*", run)
