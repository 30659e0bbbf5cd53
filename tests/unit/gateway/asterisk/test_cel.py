"""A channel event log of a real Asterisk 22 (`tests/data/cel`): an attended transfer, the same of a call
outside, a colleague called through a Local channel that is optimised away, and through one that is not."""

import random
from pathlib import Path

import pytest

from domain.pbx.records import DetailRecord
from gateway.asterisk.cel import cel_event, cel_time, detail_records

LOG = Path(__file__).resolve().parents[3] / "data" / "cel" / "Master.csv"
LINES = LOG.read_text(encoding="utf-8").splitlines()


def records(lines: list[str]) -> list[DetailRecord]:
    return list(detail_records(event for line in lines if (event := cel_event(line)) is not None))


def talks(found: list[DetailRecord]) -> dict[str, list[tuple[str, float, float]]]:
    """By call: with whom, from when until when, in seconds of that hour."""
    told: dict[str, list[tuple[str, float, float]]] = {one.uniqueid: [] for one in found}
    for one in found:
        if one.answered and one.answered_at is not None:
            phone = one.dest_channel.rpartition("-")[0]
            told[one.uniqueid].append((phone, one.answered_at % 100, one.ended_at % 100))
    return told


def test_who_talked_with_whom_and_when() -> None:
    told = talks(records(LINES))
    assert {call: [phone for phone, _, _ in own] for call, own in told.items()} == {
        "1795928765.0": ["PJSIP/1001", "PJSIP/1002"],  # the caller, handed over
        "1795928766.2": ["PJSIP/1002"],  # the consultation
        "1795928769.4": ["PJSIP/trunk", "PJSIP/1002"],  # who was called, handed over
        "1795928770.6": ["PJSIP/1002"],
        "1795928772.8": ["PJSIP/1002"],  # behind a Local channel
        "1795928774.12": ["PJSIP/1002"],
    }
    (_, first, handed_over), (_, since, end) = told["1795928765.0"]
    assert (first, handed_over) == pytest.approx((65.683, 67.924), abs=0.001)
    assert (since, end) == pytest.approx((67.924, 68.955), abs=0.001)


def test_the_call_as_a_whole() -> None:
    whole = records(LINES)[0]
    assert (whole.source, whole.destination, whole.channel, whole.answered) == (
        "13962875011",
        "12345",
        "PJSIP/trunk-00000000",
        False,
    )
    assert (whole.started_at % 100, whole.ended_at % 100) == pytest.approx((65.362, 68.956), abs=0.001)


def test_a_log_that_ends_in_mid_call_ends_its_conversations_there() -> None:
    """As where the PBX died."""
    cut = next(index for index, line in enumerate(LINES) if line.startswith('"BRIDGE_EXIT"'))
    told = talks(records(LINES[:cut]))
    ((phone, start, end),) = told["1795928765.0"]
    assert phone == "PJSIP/1001"
    assert start == pytest.approx(end, abs=3.0)
    assert end >= start


def test_whatever_is_damaged_is_passed_over() -> None:
    chance = random.Random(7)
    for _ in range(300):
        lines = [line for line in LINES if chance.random() > 0.2]
        where = chance.randrange(len(lines))
        lines[where] = "".join(chance.sample(lines[where], len(lines[where])))
        for one in records(lines):
            assert one.ended_at >= one.started_at
            assert one.answered_at is None or one.ended_at >= one.answered_at


@pytest.mark.parametrize(
    "line",
    [
        "",
        '"unclosed',
        '"CHAN_START","1795928765.3"',
        LINES[0].replace("1795928765.362337", "yesterday"),
        LINES[0].replace('"1795928765.0"', '"../x"'),
        LINES[0].replace("12345", "12\x0045"),
    ],
)
def test_a_line_that_is_none(line: str) -> None:
    assert cel_event(line) is None
    assert cel_time(line) is None


def test_a_date_format_of_its_own() -> None:
    """`dateformat = %F %T` in cel.conf: local time."""
    assert cel_time(LINES[0].replace("1795928765.362337", "2026-11-29 05:06:05")) is not None


def test_what_follows_an_event_may_be_anything() -> None:
    enter = next(line for line in LINES if line.startswith('"BRIDGE_ENTER"'))
    broken = enter[: enter.index('"{')]
    for extra in ('"{"', '"[1]"', '"{""bridge_id"":7}"', '""'):
        event = cel_event(broken + extra)
        assert event is not None
        assert event.bridge == ""
