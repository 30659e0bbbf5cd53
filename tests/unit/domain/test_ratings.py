"""What citizens said of how their matter was dealt with, in the words of return visits."""

import pytest

from domain.order_status import OrderStatus, Step
from domain.ratings import (
    Asker,
    Said,
    Survey,
    rating_of,
    resolved_in,
    satisfied_in,
    survey_by,
    survey_of,
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("满意", True), ("基本满意", True), ("不满意", False), ("不太满意", False), ("没有满意", False),
     ("Satisfied", True), ("dissatisfied", False), ("已办理", None), ("", None)],
)  # fmt: skip
def test_satisfaction_is_read(text: str, expected: bool | None) -> None:
    assert satisfied_in(text) is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("已解决", True),
        ("问题得到圆满解决", True),
        ("解决了", True),
        ("解决", True),
        ("未解决", False),
        ("没有得到解决", False),
        ("问题尚未解决，群众不满意", False),
        ("部分解决", None),
        ("对解决方案满意", None),
        ("无人接听", None),
        ("", None),
    ],
)
def test_whether_it_was_resolved(text: str, expected: bool | None) -> None:
    assert resolved_in(text) is expected


def test_the_last_word_counts_with_who_asked() -> None:
    told = [
        OrderStatus("1", "o", "main", Step.VISITED, 10.0, 10.0, text="满意，但问题未解决"),
        OrderStatus("2", "o", "main", Step.ARCHIVED, 20.0, 20.0, resolved=True),
        # Told late, of before.
        OrderStatus("3", "o", "main", Step.VISITED, 5.0, 30.0, text="不满意"),
    ]
    rating = rating_of(told, Survey(satisfied=False, resolved=False), 1.0)
    assert rating.satisfied == Said(True, Asker.VISIT, 10.0)
    assert rating.resolved == Said(True, Asker.SYSTEM, 20.0)
    asked = rating_of(told[:1], Survey(satisfied=False, resolved=True), 1.0)
    assert asked.satisfied == Said(True, Asker.VISIT, 10.0)
    alone = rating_of([], Survey(satisfied=False), 1.0)
    assert (alone.satisfied, alone.resolved) == (Said(False, Asker.SURVEY, 1.0), None)


@pytest.mark.parametrize(
    ("ivr", "survey", "code"),
    [
        ({}, Survey(), ""),
        ({"menu": "1"}, Survey(), ""),
        ({"survey_satisfied": "1"}, Survey(satisfied=True), "1-"),
        ({"survey_satisfied": "2", "survey_resolved": "2"}, Survey(satisfied=True, resolved=False), "10"),
        ({"survey_satisfied": "3", "survey_resolved": "1"}, Survey(satisfied=False, resolved=True), "01"),
        ({"survey_satisfied": "9", "survey_resolved": "x"}, Survey(), ""),
    ],
)
def test_the_keys_of_the_survey(ivr: dict[str, str], survey: Survey, code: str) -> None:
    assert survey_of(ivr) == survey
    assert survey.code == code
    assert survey_by(code) == survey


@pytest.mark.parametrize("odd", ["1", "xy", "111", " "])
def test_what_is_no_survey_is_empty(odd: str) -> None:
    assert survey_by(odd) == Survey()
