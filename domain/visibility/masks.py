"""How numbers, names and addresses look to visibility that need not see them whole. Pure."""

import re
from collections.abc import Callable, Iterable, Sequence

HIDDEN = "***"
"""Instead of what is not shown at all."""
LEAST = 4
"""So many digits of a number are hidden at least."""
LEFT = 7
"""So many are left at most: three in front, four behind."""
ADDRESS_LEFT = 3
_NUMERAL = r"[\d〇零一二两三四五六七八九幺]"
# Also as it is said, and with what people write between the groups: 138 0013 8000, 幺三八，零零幺三…
_NUMBER = re.compile(rf"{_NUMERAL}(?:[ \-－—,，、.]{{0,2}}{_NUMERAL}){{6,}}")
_ANY = re.compile(_NUMERAL)

Mask = Callable[[str], str]


def mask_number(text: str) -> str:
    """`13800138000` → `138****8000`: every run of seven digits or more in `text`, shorter ones are left.

    A star stands for each digit, so that places in the text stay the same.
    """
    return _NUMBER.sub(lambda run: _starred(run[0]), text)


def mask_digits(text: str) -> str:
    """As `mask_number`, where all of `text` is a number: also a short one, of which two digits are left."""
    masked = mask_number(text)
    return masked if masked != text or "*" in text else _stars(text, 0, 2)


def mask_name(name: str) -> str:
    """`王小芳` → `王**`."""
    return name[:1] + "*" * len(name[1:])


def mask_address(text: str) -> str:
    """`人民路12号3单元` → `人民路***`: the beginning, and not how much comes after it."""
    return text[:ADDRESS_LEFT] + HIDDEN if text else ""


def without(text: str, known: Iterable[tuple[str, str]]) -> str:
    """`text` with each known original replaced by its masked form."""
    for original, masked in known:
        text = text.replace(original, masked)
    return text


def put_back(sent: str, sources: Sequence[str], mask: Mask, known: Iterable[tuple[str, str]] = ()) -> str:
    """What somebody who was shown `mask(source)` means by `sent`: masked pieces they left are the originals.

    `sources` are the texts that were shown masked, the likeliest first. Nothing is put back that does not
    stand in one of them.
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
