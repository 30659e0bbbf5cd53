"""What history and exports are asked with: filters and cursors as query parameters."""

import re
from math import isfinite
from typing import Annotated, TypeVar

from fastapi import Depends, Query
from msgspec import structs

from agents.accounts.identity import Permission, Principal, SystemIdentity
from domain.calls import EndReason
from domain.history import AuditFilter, CallFilter, DeliveryFilter, Key, OrderFilter
from domain.order_status import Step
from domain.orders import OrderState
from domain.reports.counts import COUNTS, Dimension, Kind, Selection
from domain.search import terms
from domain.visibility.policy import Visibility
from gateway.web.answers import Refused

NOT_KNOWN = "-"
"""Of a dimension of figures: where its value is not known."""
MANY_DIGITS = re.compile(r"\d{5}")
_F = TypeVar("_F", CallFilter, OrderFilter)
Words = Annotated[
    str,
    Query(
        max_length=200,
        description="words that must all be found, each letter by letter; spaces and punctuation of the text,"
        " case and full-width forms do not count",
    ),
]
From = Annotated[
    float | None, Query(alias="from", description="POSIX seconds, included", allow_inf_nan=False)
]
Until = Annotated[
    float | None, Query(alias="to", description="POSIX seconds, not included", allow_inf_nan=False)
]
Name = Annotated[str | None, Query(max_length=200)]
Number = Annotated[str | None, Query(max_length=32, description="digits that the caller's number holds")]
Cursor = Annotated[str | None, Query(max_length=200, description="`next` of the page before")]


class FigureQuery:
    """A FastAPI dependency: the calls or orders behind one figure of a report, if it names one.

    Line, agent, unit, place, category and source are then those by which the figures are told apart.
    """

    def __init__(
        self,
        figure: Annotated[str | None, Query(max_length=40, description="a count of /reports")] = None,
        line: Name = None,
        agent: Name = None,
        unit: Name = None,
        place: Name = None,
        category: Name = None,
        source: Name = None,
    ) -> None:
        self._figure = figure or None
        self._line = line
        self._given = {
            Dimension.AGENT: agent,
            Dimension.UNIT: unit,
            Dimension.PLACE: place,
            Dimension.CATEGORY: category,
            Dimension.SOURCE: source,
        }

    def selection(self, *kinds: Kind) -> Selection | None:
        """What is selected; `None`: no figure is named.

        Raises:
            Refused: 422, it counts nothing of these kinds.
        """
        if self._figure is None:
            return None
        if COUNTS.get(self._figure) not in kinds:
            raise Refused(422, "figure_unknown", figure=self._figure[:40])
        given = {name: known(value) for name, value in self._given.items() if value}
        return Selection(self._figure, known(self._line) if self._line else None, given)


def known(value: str) -> str:
    """The value of a dimension as it is kept."""
    return "" if value == NOT_KNOWN else value


OF_FIGURE = Depends(FigureQuery)


class CallQuery:
    """A FastAPI dependency: which calls."""

    def __init__(
        self,
        q: Words = "",
        since: From = None,
        until: Until = None,
        line: Name = None,
        agent: Name = None,
        number: Number = None,
        end_reason: EndReason | None = None,
        figure: FigureQuery = OF_FIGURE,
    ) -> None:
        selection = figure.selection(Kind.ENTRY, Kind.CALL)
        self._filter = CallFilter(
            terms=terms(q),
            since=since,
            until=until,
            line=None if selection else line or None,
            agent=None if selection else agent or None,
            number=number or None,
            end_reason=end_reason,
            selection=selection,
        )

    def filter(self, own: str | None = None, lines: tuple[str, ...] = ()) -> CallFilter:
        """The filter; `own`: only what this agent may see; `lines`: only of these, if there are any."""
        return _replaced(self._filter, own, lines)


class OrderQuery:
    """A FastAPI dependency: which orders."""

    def __init__(
        self,
        q: Words = "",
        since: From = None,
        until: Until = None,
        line: Name = None,
        agent: Name = None,
        number: Number = None,
        state: OrderState | None = None,
        outcome: Name = None,
        step: Step | None = None,
        category: Name = None,
        town: Name = None,
        unit: Name = None,
        figure: FigureQuery = OF_FIGURE,
    ) -> None:
        selection = figure.selection(Kind.ORDER)
        self._filter = OrderFilter(
            terms=terms(q),
            since=since,
            until=until,
            line=None if selection else line or None,
            agent=None if selection else agent or None,
            number=number or None,
            state=state,
            outcome=outcome or None,
            step=step,
            category=None if selection else category or None,
            town=town or None,
            unit=None if selection else unit or None,
            selection=selection,
        )

    def filter(self, own: str | None = None, lines: tuple[str, ...] = ()) -> OrderFilter:
        """The filter; `own`: only what this agent may see; `lines`: only of these, if there are any."""
        return _replaced(self._filter, own, lines)


class DeliveryQuery:
    """A FastAPI dependency: which deliveries."""

    def __init__(self, since: From = None, until: Until = None, state: Name = None) -> None:
        self.filter = DeliveryFilter(since=since, until=until, state=state or None)


class AuditQuery:
    """A FastAPI dependency: which entries of the audit."""

    def __init__(self, since: From = None, until: Until = None, username: Name = None) -> None:
        self.filter = AuditFilter(since=since, until=until, username=username or None)


def restricted_to(who: Principal) -> str | None:
    """The agent whose calls and orders alone whoever asks may see; `None`: everybody's."""
    if isinstance(who, SystemIdentity):
        return None
    # An account without an agent has none of its own: no agent is called so.
    return None if who.may(Permission.SEE_ALL) else who.agent_id or "-"


def lines_of(who: Principal) -> tuple[str, ...]:
    """The lines whose calls and orders alone whoever asks may see; empty: those of every line."""
    return tuple(sorted(who.lines)) if isinstance(who, SystemIdentity) else ()


def searched(wanted: _F, visibility: Visibility, *, spoken: bool = False) -> _F:
    """The filter, where that visibility allows such a search: what one may not read must not be found either.

    `spoken`: it searches what was said.

    Raises:
        Refused: 403, it is searched for what is hidden.
    """
    if spoken and wanted.terms and not visibility.transcripts:
        raise Refused(403, "words_hidden")
    if not visibility.numbers and any(MANY_DIGITS.search(term) for term in wanted.terms):
        raise Refused(403, "digits_hidden")
    return wanted


def cursor_of(key: Key | None) -> str | None:
    """A place in a list as clients hold it."""
    return None if key is None else f"{key[0]!r}~{key[1]}"


def key_of(cursor: str | None) -> Key | None:
    """The place a client names.

    Raises:
        Refused: 422, it is none of ours.
    """
    if not cursor:
        return None
    at, _, identity = cursor.partition("~")
    try:
        instant = float(at)
    except ValueError:
        raise Refused(422, "cursor") from None
    if not isfinite(instant):
        raise Refused(422, "cursor")
    return instant, identity


def _replaced(wanted: _F, own: str | None, lines: tuple[str, ...]) -> _F:
    return structs.replace(wanted, own=own, lines=lines)
