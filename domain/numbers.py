"""Callers' numbers as trunks deliver them: withheld, or one subscriber's in one of many forms. Pure."""

import re
import unicodedata
from functools import lru_cache

_NUMBER = re.compile(r"(\+?)([0-9]{3,20})")
_MOBILE = re.compile(r"1[3-9][0-9]{9}")
_SERVICE = re.compile(r"[48]00[0-9]{7}")
_LANDLINE = re.compile(r"(?:10|2[0-9])[0-9]{8}|(?!95[06-9]|96)[3-9][0-9]{2}[0-9]{7,8}")
"""Area code without its 0, and the number there: 10 8611 0010, 513 8611 0010. Ten digits or eleven."""
_SEPARATORS = re.compile(r"[\s().·/\-\u2010-\u2015\u2212]")
_URI = re.compile(r"(?:tel|sips?):([^@;?]*)", re.IGNORECASE)
_LEAST_PART = 7
"""A part of a number with so many digits may begin with a prefix that the stored form lacks."""

_WITHHELD = frozenset(
    [
        # SIP and trunks
        "anonymous", "anonymousinvalid", "unknown", "restricted", "private", "unavailable", "withheld",
        "blocked", "hidden", "secret", "privacy", "unspecified", "notavailable", "outofarea", "asterisk",
        "nonumber", "nocallerid", "noclid", "callerunknown", "unknownnumber", "unknowncaller",
        "privatenumber", "privatecaller", "withheldnumber", "numberwithheld", "restrictednumber",
        "presentationrestricted", "anonymouscaller", "callerid", "invalid",
        # Chinese trunks and terminals
        "未知", "未知号码", "匿名", "匿名来电", "保密", "号码保密", "隐藏号码", "私密号码",
        "私人号码", "无号码", "无主叫",
    ]
)  # fmt: skip
_NO_VALUE = _WITHHELD | {"none", "null", "nil", "nan", "undefined", "na", "false", "s", "o", "p"}
"""What programs put where a number should be; as names some of them are people's."""


def is_withheld(number: str) -> bool:
    """Whether this is no number, but a way to say that there is none (`anonymous`, `0000000000`, `-1`)."""
    plain = _plain(number)
    letters = _letters(plain)
    return not letters.strip("0") or letters in _NO_VALUE or re.fullmatch(r"-\s*[0-9]+", plain) is not None


@lru_cache(maxsize=4096)
def told(number: str) -> str:
    """The number as it may be shown and passed on: empty where it is withheld."""
    return "" if is_withheld(number) else number


@lru_cache(maxsize=4096)
def told_name(name: str) -> str:
    """The name as it may be shown and passed on: empty where it only says that there is none."""
    return "" if _letters(_plain(name)) in _WITHHELD else name


def _plain(text: str) -> str:
    return unicodedata.normalize("NFKC", text).strip().casefold()


def _letters(plain: str) -> str:
    user = plain.partition("@")[0]
    uri = _URI.fullmatch(user)
    return "".join(char for char in (uri[1] if uri else user) if char.isalnum())


def national(number: str) -> str | None:
    """The one form of a subscriber's number: `+86 138…`, `86138…`, `0086138…`, `0138…` → `138…`.

    A landline has the 0 of its area code, a number abroad its `+`. Returns `None` if there is no number
    (withheld, a SIP name).
    """
    if is_withheld(number):
        return None
    plain = unicodedata.normalize("NFKC", number).strip()
    uri = _URI.match(plain)
    found = _NUMBER.fullmatch(_SEPARATORS.sub("", uri[1] if uri else plain))
    if found is None:
        return None
    plus, digits = found.groups()
    significant = digits.lstrip("0")
    if (plus and digits == significant) or digits.startswith("00"):
        if significant.startswith("86"):
            return _domestic(significant[2:])
        return f"+{significant}" if len(significant) > 4 else digits
    if significant.startswith("86") and _is_whole(rest := significant[2:].lstrip("0")):
        return _domestic(rest)
    return _domestic(digits)


def _is_whole(significant: str) -> bool:
    return any(form.fullmatch(significant) for form in (_MOBILE, _SERVICE, _LANDLINE))


def _domestic(digits: str) -> str:
    significant = digits.lstrip("0")
    if _MOBILE.fullmatch(significant) or _SERVICE.fullmatch(significant):
        return significant
    if digits != significant or _LANDLINE.fullmatch(significant):
        return f"0{significant}"
    return digits


def forms(number: str) -> tuple[str, ...]:
    """Every form in which this subscriber's number may be stored; empty for a withheld number."""
    bare = national(number)
    if bare is None:
        return ()
    if bare.startswith("+"):
        return tuple(dict.fromkeys([number, bare, f"00{bare[1:]}"]))
    abroad = bare.removeprefix("0")
    several = [number, bare, *(f"{prefix}{abroad}" for prefix in ("+86", "86", "0086", "0", ""))]
    return tuple(dict.fromkeys(several))


def parts(digits: str) -> tuple[str, ...]:
    """How a part of a number that somebody searches for may be stored, most likely first.

    Numbers are stored as `national` writes them, in databases of older versions as the trunk did.
    """
    bare = _SEPARATORS.sub("", unicodedata.normalize("NFKC", digits))
    found = [bare, *(bare.removeprefix(prefix) for prefix in ("+86", "0086", "+") if bare.startswith(prefix))]
    if len(bare.strip("+")) >= _LEAST_PART and (whole := national(bare)) is not None:
        found.append(whole)
    return tuple(part for part in dict.fromkeys(found) if part)
