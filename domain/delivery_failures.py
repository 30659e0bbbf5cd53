"""Why an order did not reach its work-order system: every cause there is, by code.

The browser app has them in Chinese (`web/src/i18n/zh/failed.ts`); its English is these very sentences, taken
over by `make stream-types`.
"""

from typing import Any

from msgspec import structs

from domain.messages import Message, say

FAILURES = {
    "answered": "HTTP {status}",
    "answered_with": "HTTP {status}: {said}",
    "no_answer": "no answer in {seconds} s",
    "no_connection": "no connection ({kind}: {text})",
    "not_signed": "not sent, for it cannot be signed: {text}",
    "redirected": "HTTP {status} (redirects are not followed: configure the final URL)",
}


def failure(cause: str, /, **params: Any) -> Message:
    """Why a try failed. Parameters are plain values; what the other side said is hostile text."""
    return say(FAILURES, cause, params)


def given_up(last: Message, tries: int) -> Message:
    """The last try of so many: its cause, and `given_up_after` among the parameters."""
    params = {**last.params, "given_up_after": tries}
    return structs.replace(last, params=params, text=f"given up after {tries} tries; the last: {last.text}")
