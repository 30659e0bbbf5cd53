"""Every value there is has a word in both languages: an export must not break on a new one."""

from enum import StrEnum
from typing import Any

import pytest

from domain.calls import Direction, EndReason
from domain.orders import OrderState
from domain.queues import AgentState
from gateway.export import deployment, tables, words
from gateway.export.tables import TableContext
from gateway.export.words import Both, Words


@pytest.mark.parametrize(
    ("values", "named"),
    [
        (Direction, words.DIRECTIONS),
        (EndReason, words.END_REASONS),
        (OrderState, words.ORDER_STATES),
        (AgentState, words.AGENT_STATES),
    ],
)
def test_every_value_has_a_word_of_its_own(values: type[StrEnum], named: dict[StrEnum, Both]) -> None:
    assert set(named) == set(values)
    for language in (0, 1):
        assert len({both[language] for both in named.values()}) == len(named)


def house(language: words.Language) -> TableContext:
    return TableContext([], "Asia/Shanghai", {"title": "标题"}, {}, Words(language))


EVERY: list[Any] = [
    *(tables.calls, tables.orders, tables.deliveries, tables.audit, tables.agents, tables.queues),
    *(deployment.accounts, deployment.places, deployment.endpoints),
]


@pytest.mark.parametrize("made", EVERY)
def test_headers_are_in_the_language_asked_for_and_tell_columns_apart(made: Any) -> None:
    chinese, english = made(house("zh")), made(house("en"))
    assert english.name.isascii() and not chinese.name.isascii()
    assert len(chinese.columns) == len(english.columns)
    own = [column.header for column in english.columns if column.header != "标题"]
    assert all(header.isascii() for header in own)
    assert not any(column.header.isascii() for column in chinese.columns)
    for table in (chinese, english):
        assert len(set(table.headers)) == len(table.headers)


def test_no_word_is_left_that_nobody_uses() -> None:
    used: set[str] = set()
    for made in EVERY:
        used |= {column.header for column in made(house("en")).columns}
    assert {both[1] for both in words.HEADERS.values()} <= used
