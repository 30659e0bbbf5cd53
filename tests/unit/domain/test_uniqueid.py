"""Channels' unique ids: what they tell, and what tells nothing."""

import pytest

from domain.pbx.uniqueid import created


@pytest.mark.parametrize("uniqueid", ["1716181920.42", "pbx-1716181920.42", "a-b.c-1716181920.42"])
def test_second_and_count(uniqueid: str) -> None:
    assert created(uniqueid) == (1716181920, 42)


@pytest.mark.parametrize(
    "uniqueid", ["", "1716181920", "1716181920.", ".42", "1716181920-42", "²³.¹", "9" * 5000 + ".1", "1.1\n"]
)
def test_another_form_tells_nothing(uniqueid: str) -> None:
    assert created(uniqueid) is None


def test_they_sort_by_age() -> None:
    ids = ["1716181920.10", "pbx-1716181919.99", "1716181920.9"]
    assert sorted(ids, key=created) == [ids[1], ids[2], ids[0]]  # type: ignore[arg-type]
