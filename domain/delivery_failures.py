"""Why an order did not reach its work-order system: every possible cause, by code.

The browser app translates them into Chinese (`web/src/i18n/zh/failed.ts`); its English is generated from
these sentences by `make stream-types`.
"""

from typing import Any

from msgspec import structs

from domain.messages import Message, say
from domain.text import line

FAILURES = {
    "answered": "HTTP {status}",
    "answered_with": "HTTP {status}: {said}",
    "map_fails": "not sent, for the mapping fails at {place}: {text}",
    "map_missing": "not sent, for the mapping at {place} needs what this order lacks: {text};"
    " give it a default there",
    "map_no_code": "not sent, for the mapping at {place} finds no code for {value};"
    " add it to [tables.{table}], or give that a default",
    "no_answer": "no answer within {seconds} s",
    "no_connection": "no connection ({kind}: {text})",
    "not_accepted": "HTTP {status}, but not accepted: {said}",
    "not_signed": "not sent, for it cannot be signed: {text}",
    "request_answered": "request {request}: HTTP {status}: {said}",
    "redirected": "HTTP {status} (redirects are not followed: configure the final URL)",
}


def failure(cause: str, /, **params: Any) -> Message:
    """Return why an attempt failed. `params` are plain values; text from the other side becomes one line."""
    plain = {name: line(one) if isinstance(one, str) else one for name, one in params.items()}
    return say(FAILURES, cause, plain)


def given_up(last: Message, tries: int) -> Message:
    """Return `last`, the cause of the final attempt, with the number of attempts as `given_up_after`."""
    params = {**last.params, "given_up_after": tries}
    return structs.replace(last, params=params, text=f"given up after {tries} tries; the last: {last.text}")
