"""What work-order systems say of orders, in their words and ours."""

from typing import Any

import pytest

from domain.order_status import STEP_NAMES, Step, deadline_after
from tests.support.statuses import a_status
from workorders.inbound.reading import StatusReader, StatusRefusedError

ORDER = "6f0c8f6e-3b7e-5d1a-9c55-12345c0ffee5"
NOON = 1_772_424_000.0
"""2026-03-02 12:00 in China."""


@pytest.mark.parametrize("step", list(Step))
def test_every_step_by_its_id_and_by_the_standards_word(step: Step) -> None:
    for word in (step.value, STEP_NAMES[step]):
        told = StatusReader().read({"order": ORDER, "status": word})
        assert (told.step, told.word) == (step, "")


def test_all_that_can_be_told() -> None:
    told = StatusReader().read(
        {
            "external_id": "GD-77",
            "status": "签收",
            "at": "2026-03-02T12:00:00+08:00",
            "unit": " 区住建局 ",
            "person": "李工",
            "deadline": "2026-03-03 12:00:00",
            "text": "已派人\n到场",
        }
    )
    assert (told.order, told.number, told.step) == ("", "GD-77", Step.SIGNED)
    assert (told.at, told.deadline) == (NOON, NOON + 86_400)
    assert (told.unit, told.person, told.text) == ("区住建局", "李工", "已派人 到场")


@pytest.mark.parametrize(
    ("told", "satisfied", "resolved"),
    [
        ({}, None, None),
        ({"satisfied": None, "resolved": ""}, None, None),
        ({"satisfied": True, "resolved": False}, True, False),
        ({"satisfied": "true", "resolved": 0}, True, False),
        ({"satisfied": "非常满意", "resolved": "已解决"}, True, True),
        ({"satisfied": "不太满意", "resolved": "未解决"}, False, False),
        ({"satisfied": "否", "resolved": "问题尚未得到解决"}, False, False),
    ],
)
def test_what_the_citizen_said_of_it(
    told: dict[str, Any], satisfied: bool | None, resolved: bool | None
) -> None:
    read = StatusReader().read({"order": ORDER, "status": "archived", **told})
    assert (read.satisfied, read.resolved) == (satisfied, resolved)


@pytest.mark.parametrize("odd", ["maybe", 7, [], {"a": 1}, "对解决方案无意见"])
def test_neither_yes_nor_no_is_refused(odd: Any) -> None:
    with pytest.raises(StatusRefusedError) as refused:
        StatusReader().read({"order": ORDER, "status": "archived", "resolved": odd})
    assert refused.value.message.code == "status_yes_or_no"


@pytest.mark.parametrize(
    "at", [NOON, str(NOON), NOON * 1000, "2026/03/02 12:00", "2026-03-02T04:00:00Z", "2026-03-02T12:00"]
)
def test_a_time_in_any_usual_form(at: Any) -> None:
    assert StatusReader().read({"order": ORDER, "status": "closed", "at": at}).at == NOON


def test_a_foreign_system_by_its_own_words_and_places() -> None:
    reader = StatusReader(
        {"number": "ticket.id", "status": "ticket.state", "unit": "ticket.queue.name", "text": "note"},
        {"Resolved": "closed", "rejected": "returned"},
    )
    told = reader.read(
        {"ticket": {"id": 4711, "state": "RESOLVED", "queue": {"name": "Roads"}}, "note": "lamp replaced"}
    )
    assert (told.number, told.step, told.word, told.unit) == ("4711", Step.CLOSED, "RESOLVED", "Roads")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"order": ORDER}, "status_unknown"),
        ({"order": ORDER, "status": "somehow"}, "status_unknown"),
        ({"order": ORDER, "status": ["closed"]}, "status_unknown"),
        ({"status": "closed"}, "status_no_order"),
        ({"order": {"id": 1}, "status": "closed"}, "status_no_order"),
        ({"order": ORDER, "status": "closed", "at": "soon"}, "status_time"),
        ({"order": ORDER, "status": "closed", "at": True}, "status_time"),
        ({"order": ORDER, "status": "closed", "deadline": -5}, "status_time"),
        ({"order": ORDER, "status": "closed", "deadline": "9" * 400}, "status_time"),
        ({"order": ORDER, "status": "closed", "at": "inf"}, "status_time"),
    ],
)
def test_what_cannot_be_understood_is_refused_with_the_reason(body: dict[str, Any], code: str) -> None:
    with pytest.raises(StatusRefusedError) as refused:
        StatusReader().read(body)
    assert refused.value.message.code == code


def test_texts_are_cut_and_cleaned() -> None:
    told = StatusReader().read(
        {"order": ORDER, "status": "returned", "text": "不\u202e属" + "长" * 5000, "unit": "u" * 999}
    )
    assert len(told.text) <= 2000
    assert len(told.unit) <= 200
    assert "\u202e" not in told.text


def test_a_deadline_stands_until_another_is_told_or_the_order_is_closed() -> None:
    assert deadline_after(a_status(Step.SIGNED, deadline=NOON), None) == NOON
    assert deadline_after(a_status(Step.HANDLED), NOON) == NOON
    assert deadline_after(a_status(Step.EXTENDED, deadline=NOON + 1), NOON) == NOON + 1
    assert deadline_after(a_status(Step.CLOSED, deadline=NOON), NOON) is None
