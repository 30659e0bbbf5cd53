"""What citizens said of how their matter was dealt with: content or not, resolved or not, and who asked."""

import re
from collections.abc import Mapping, Sequence
from enum import StrEnum

from msgspec import Struct

from domain.order_status import OrderStatus, Step, as_happened

_NOT_CONTENT = re.compile(r"不(太|大|是很)?满意|没有?满意|\b(dis|un|not )satisfied", re.IGNORECASE)
_CONTENT = re.compile(r"满意|\bsatisfied", re.IGNORECASE)
_NOT_RESOLVED = re.compile(r"[未没不](有|曾|能|得到|予)*(解决|办结)|\b(un|not )resolved", re.IGNORECASE)
_RESOLVED = re.compile(
    r"(已经?|得到|问题|圆满|彻底|全部|妥善|及时)(得到)?(予以)?解决|解决了|^\s*解决\s*$|\bresolved",
    re.IGNORECASE,
)


class Asker(StrEnum):
    """Who asked the citizen, and so whose word it is."""

    SURVEY = "survey"
    """We, by voice at the end of the call."""
    VISIT = "visit"
    """A return call or visit (回访) that the work-order system tells of."""
    SYSTEM = "system"
    """The work-order system's own survey: message, app, website."""


class Said(Struct, frozen=True):
    """One answer."""

    value: bool
    asker: Asker
    at: float
    """POSIX seconds."""


class Rating(Struct, frozen=True):
    """The last that was said of an order; `None`: nothing was."""

    satisfied: Said | None = None
    resolved: Said | None = None


class Survey(Struct, frozen=True):
    """What a caller answered at the end of the call, by keys."""

    satisfied: bool | None = None
    resolved: bool | None = None

    @property
    def code(self) -> str:
        """Two characters, 1 yes, 0 no, - nothing; empty: nothing was answered at all."""
        answers = (self.satisfied, self.resolved)
        if answers == (None, None):
            return ""
        return "".join("-" if one is None else str(int(one)) for one in answers)


def survey_of(ivr: Mapping[str, str]) -> Survey:
    """What the keys of a call mean: 1 content, 2 fairly content, 3 not; 1 resolved, 2 not resolved."""
    content = {"1": True, "2": True, "3": False}.get(ivr.get("survey_satisfied", ""))
    return Survey(content, {"1": True, "2": False}.get(ivr.get("survey_resolved", "")))


NO_SURVEY = Survey()


def survey_by(code: str) -> Survey:
    """The survey of that `code`; what is none is an empty one."""
    if len(code) != 2:
        return NO_SURVEY
    return Survey(*({"1": True, "0": False}.get(one) for one in code))


def satisfied_in(text: str) -> bool | None:
    """Whether the text says that the citizen was content (满意); `None`: it does not say."""
    return _in(text, _NOT_CONTENT, _CONTENT)


def resolved_in(text: str) -> bool | None:
    """Whether the text says that the matter was resolved (解决); `None`: it does not say."""
    return _in(text, _NOT_RESOLVED, _RESOLVED)


def rating_of(statuses: Sequence[OrderStatus], survey: Survey, asked_at: float) -> Rating:
    """What was said last of the order: told in so many words, else by the text of a return visit.

    `survey`: of the order's call, answered at `asked_at`: before anything was done, so others' word is later.
    """
    satisfied = None if survey.satisfied is None else Said(survey.satisfied, Asker.SURVEY, asked_at)
    resolved = None if survey.resolved is None else Said(survey.resolved, Asker.SURVEY, asked_at)
    for one in as_happened(statuses):
        asker = Asker.VISIT if one.step is Step.VISITED else Asker.SYSTEM
        content, done = one.satisfied, one.resolved
        if one.step is Step.VISITED:
            text = f"{one.word} {one.text}"
            content = satisfied_in(text) if content is None else content
            done = resolved_in(text) if done is None else done
        if content is not None:
            satisfied = Said(content, asker, one.at)
        if done is not None:
            resolved = Said(done, asker, one.at)
    return Rating(satisfied, resolved)


def _in(text: str, no: re.Pattern[str], yes: re.Pattern[str]) -> bool | None:
    if no.search(text):
        return False
    return True if yes.search(text) else None
