"""What an endpoint's answer means, and when to try again. Pure."""

import random
from collections.abc import Collection
from email.utils import parsedate_to_datetime
from typing import Literal

from msgspec import Struct

from domain.messages import Message

Verdict = Literal["delivered", "retry", "dead"]

RETRYABLE = frozenset({408, 423, 425, 429})
MAX_RETRY_AFTER_S = 24 * 3600.0


def verdict(
    status: int, *, success: Collection[int] = (), already: Collection[int] = (), again: Collection[int] = ()
) -> Verdict:
    """What to make of an HTTP status: 2xx is done, 5xx and busy ones try again, any other is final.

    `success`: these alone are done, another 2xx is tried again; `already`: these say that it is there;
    `again`: after these it is tried again, too.
    """
    if status in already or status in success:
        return "delivered"
    if 200 <= status < 300:
        return "retry" if success else "delivered"
    if status >= 500 or status in RETRYABLE or status in again:
        return "retry"
    return "dead"


def retry_after(header: str | None, now: float, date: str | None = None) -> float | None:
    """Seconds to wait by a `Retry-After` header (RFC 9110): a number or an HTTP date; nonsense is none.

    A date is compared with `date`, the answer's own `Date` header, or else with `now` (POSIX seconds).
    """
    text = (header or "").strip()
    if text.isascii() and text.isdecimal():
        return min(float(text[:10]), MAX_RETRY_AFTER_S)
    when = _http_date(text)
    if when is None:
        return None
    base = _http_date(date or "")
    return min(max(0.0, when - (now if base is None else base)), MAX_RETRY_AFTER_S)


def _http_date(text: str) -> float | None:
    try:
        return parsedate_to_datetime(text[:60]).timestamp() if text else None
    except (ValueError, TypeError, OverflowError):
        return None


def delay(attempts: int, first_s: float, limit_s: float, *, chance: float | None = None) -> float:
    """Seconds to wait after `attempts` (from 1) tries: doubling, with jitter, never over `limit_s`.

    Half of the wait is certain, half by chance (`chance` 0..1): endpoints that come back are not stormed.
    """
    roll = random.random() if chance is None else chance  # noqa: S311 - not a secret
    base = min(limit_s, first_s * 2.0 ** min(attempts - 1, 40))
    return base * (0.5 + 0.5 * roll)


class Outcome(Struct, frozen=True):
    """How one try ended."""

    state: Verdict
    status: int | None = None
    failure: Message | None = None
    """Why it failed; `None`: it did not."""
    external_id: str | None = None
    """The work-order system's own number, where its reply has one."""
    retry_after_s: float | None = None
