"""Reads what a work-order system tells of an order, by a mapping from its words to ours. Pure."""

import math
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import jmespath
from msgspec import Struct

from domain.order_status import STEP_NAMES, Step
from domain.ratings import resolved_in, satisfied_in
from domain.refusals import Refusal
from domain.spans import LAST_INSTANT
from domain.text import line

MAX_TEXT = 2000
MAX_NAME = 200
MILLISECONDS = 1e11
"""A larger number of seconds would be after the year 5000."""

DOTTED = re.compile(r"^(\d{4}-\d{2}-\d{2})\.(\d)")
"""A time as Roundup writes it: 2026-03-02.12:00:00."""

PLACES = {
    "order": "order",
    "number": "external_id",
    "status": "status",
    "at": "at",
    "unit": "unit",
    "person": "person",
    "deadline": "deadline",
    "text": "text",
    "satisfied": "satisfied",
    "resolved": "resolved",
}
"""What is read → where it stands in the body (JMESPath), unless configured otherwise."""


class StatusRefusedError(Refusal):
    """What was told cannot be understood. The message names the cause and the fix."""


NOWHERE = "`null`"
"""JMESPath of what a system does not tell."""


class Told(Struct, frozen=True):
    """What a message says of an order, before it is known which."""

    order: str
    """Our id of the order; empty: the system gave its own."""
    number: str
    """The system's own number; empty if it gave ours."""
    step: Step
    word: str
    at: float | None
    unit: str
    person: str
    deadline: float | None
    text: str
    satisfied: bool | None = None
    resolved: bool | None = None


class StatusReader:
    """Reads the messages of one work-order system."""

    def __init__(
        self, places: Mapping[Any, str] = {}, words: Mapping[str, str] = {}, timezone: str = "Asia/Shanghai"
    ) -> None:
        """`places`: other JMESPath expressions than `PLACES`; `words`: the system's words → ids of steps.

        `timezone` is that of times without one.
        """
        self._find: dict[str, Callable[[Any], Any]] = {
            name: jmespath.compile(places.get(name) or usual).search for name, usual in PLACES.items()
        }
        # Our own ids and the standard's words need no table.
        known = {**{step.value: step for step in Step}, **{name: step for step, name in STEP_NAMES.items()}}
        self._steps = {**known, **{word.strip().casefold(): Step(step) for word, step in words.items()}}
        self._zone = ZoneInfo(timezone)

    def read(self, body: Any) -> Told:
        """Return what the message says.

        Raises:
            StatusRefusedError: it names no order, a status that is in no table, or a time that is none.
        """
        word = self._text(body, "status", MAX_NAME)
        step = self._steps.get(word.casefold())
        if step is None:
            raise StatusRefusedError("status_unknown", status=word[:80])
        order, number = self._text(body, "order", MAX_NAME), self._text(body, "number", MAX_NAME)
        if not order and not number:
            raise StatusRefusedError("status_no_order")
        return Told(
            order=order,
            number=number,
            step=step,
            word="" if word in (step.value, STEP_NAMES[step]) else word,
            at=self._time(body, "at"),
            unit=self._text(body, "unit", MAX_NAME),
            person=self._text(body, "person", MAX_NAME),
            deadline=self._time(body, "deadline"),
            text=self._text(body, "text", MAX_TEXT),
            satisfied=self._yes_or_no(body, "satisfied", satisfied_in),
            resolved=self._yes_or_no(body, "resolved", resolved_in),
        )

    def _value(self, body: Any, name: str) -> Any:
        try:
            return self._find[name](body)
        except jmespath.exceptions.JMESPathError:
            return None

    def _text(self, body: Any, name: str, most: int) -> str:
        value = self._value(body, name)
        if value is None or isinstance(value, bool | list | dict):
            return ""
        return line(str(value), most).strip()

    def _yes_or_no(self, body: Any, name: str, in_words: Callable[[str], bool | None]) -> bool | None:
        """A bool, its word, or a sentence that says so; `None` where nothing is told."""
        value = self._value(body, name)
        if value is None or isinstance(value, bool):
            return value
        text = str(value).strip() if isinstance(value, str | int) else ""
        if not text and value == "":
            return None
        known = {"true": True, "1": True, "是": True, "false": False, "0": False, "否": False}
        told = known.get(text.casefold())
        told = in_words(text) if told is None else told
        if told is None:
            raise StatusRefusedError("status_yes_or_no", place=name, value=str(value)[:40])
        return told

    def _time(self, body: Any, name: str) -> float | None:
        value = self._value(body, name)
        if value is None or value == "":
            return None
        try:
            at = self._instant(value)
        except (ValueError, OverflowError, OSError):
            at = math.nan
        if not 0.0 < at <= LAST_INSTANT:
            raise StatusRefusedError("status_time", place=name, value=str(value)[:40])
        return at

    def _instant(self, value: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float | str):
            raise ValueError("no time")
        try:
            seconds = float(value)
        except ValueError:
            text = DOTTED.sub(r"\1T\2", str(value).strip().replace("/", "-"))
            told = datetime.fromisoformat(text)
            return (told if told.tzinfo else told.replace(tzinfo=self._zone)).timestamp()
        return seconds / 1000.0 if seconds > MILLISECONDS else seconds
