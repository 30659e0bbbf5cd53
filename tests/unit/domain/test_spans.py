"""Lengths of time, whatever the clocks did."""

from domain.spans import LONGEST_S, covered


def test_what_runs_side_by_side_counts_once() -> None:
    assert covered([]) == 0.0
    assert covered([(10.0, 20.0), (30.0, 35.0)]) == 15.0
    assert covered([(12.0, 30.0), (10.0, 20.0), (15.0, 18.0)]) == 20.0


def test_a_clock_that_was_set_hides_nothing_else() -> None:
    assert covered([(0.0, LONGEST_S * 2), (10.0, 20.0), (40.0, 30.0)]) == 10.0
