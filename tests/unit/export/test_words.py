"""Every value there is has a word: an export must not break on a new one."""

from enum import StrEnum

import pytest

from gateway.export import words
from gateway.models.call import Direction, EndReason
from gateway.models.order import OrderState
from gateway.models.queue import AgentState


@pytest.mark.parametrize(
    ("values", "named"),
    [
        (Direction, words.DIRECTIONS),
        (EndReason, words.END_REASONS),
        (OrderState, words.ORDER_STATES),
        (AgentState, words.AGENT_STATES),
    ],
)
def test_every_value_has_a_word_of_its_own(values: type[StrEnum], named: dict[StrEnum, str]) -> None:
    assert set(named) == set(values)
    assert len(set(named.values())) == len(named)
