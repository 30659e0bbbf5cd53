"""Which stretch of speech is next."""

from asr.schedule import DELAYED_S, SHEDDING_S, STALE_S, Job, Schedule, Urgency
from domain.recogniser import Load


def fill(*jobs: tuple[str, Urgency, str], at: float = 0.0) -> Schedule[str]:
    schedule: Schedule[str] = Schedule()
    for name, urgency, call in jobs:
        schedule.put(Job(name, urgency, call, at))
    return schedule


def names(jobs: list[Job[str]]) -> list[str]:
    return [job.item for job in jobs]


def test_finals_then_likely_finals_then_recordings_then_partials_the_desk_first_the_oldest_first() -> None:
    schedule = fill(
        ("p1", Urgency.PARTIAL, "a"),
        ("p2", Urgency.PARTIAL, "desk"),
        ("r", Urgency.RECORDING, "z"),
        ("l", Urgency.LIKELY, "desk"),
        ("f1", Urgency.FINAL, "a"),
        ("f2", Urgency.FINAL, "b"),
        ("f3", Urgency.FINAL, "desk"),
    )
    schedule.focus = frozenset({"desk"})
    batch, dropped = schedule.take(0.1, 10)
    assert names(batch) == ["f3", "f1", "f2", "l", "r", "p2", "p1"]
    assert dropped == []


def test_partials_stay_when_none_may_be_taken() -> None:
    schedule = fill(("p", Urgency.PARTIAL, "a"), ("l", Urgency.LIKELY, "a"))
    assert names(schedule.take(0.1, 10, partials=False)[0]) == ["l"]
    assert names(schedule.take(0.1, 10, partials=False)[0]) == []
    assert names(schedule.take(0.1, 10)[0]) == ["p"]


def test_an_old_partial_is_dropped_and_said_an_old_final_is_not() -> None:
    schedule = fill(("p", Urgency.PARTIAL, "a"), ("f", Urgency.FINAL, "a"))
    now = STALE_S + 0.1
    batch, dropped = schedule.take(now, 1)
    assert (names(batch), names(dropped)) == (["f"], ["p"])
    assert schedule.partials_dropped == 1
    assert schedule.load(now) is Load.NO_PARTIALS
    assert schedule.load(now + SHEDDING_S + 0.1) is Load.NORMAL


def test_a_promoted_partial_is_a_final_and_not_dropped() -> None:
    schedule = fill(("f", Urgency.FINAL, "a"))
    job = Job("p", Urgency.PARTIAL, "a", 0.0)
    schedule.put(job)
    schedule.promote(job, 1.0)
    batch, dropped = schedule.take(100.0, 10)
    assert names(batch) == ["f", "p"]
    assert dropped == []


def test_late_finals_are_said_until_they_are_clearly_in_time() -> None:
    schedule = fill(("f", Urgency.FINAL, "a"))
    assert schedule.load(DELAYED_S - 0.1) is Load.NORMAL
    assert schedule.load(DELAYED_S + 0.1) is Load.DELAYED
    schedule.take(DELAYED_S + 0.1, 1)
    schedule.put(Job("g", Urgency.FINAL, "a", 10.0))
    assert schedule.load(10.0) is Load.NORMAL
    assert schedule.lag(10.5) == 0.5


def test_what_may_have_broken_a_batch_goes_alone() -> None:
    schedule = fill(("f1", Urgency.FINAL, "a"), ("f2", Urgency.FINAL, "a"), ("f3", Urgency.FINAL, "a"))
    batch, _ = schedule.take(0.0, 2)
    for job in batch:
        job.alone = True
        schedule.put(job)
    assert [names(schedule.take(0.0, 8)[0]) for _ in range(3)] == [["f1"], ["f2"], ["f3"]]


def test_withdrawn_is_gone() -> None:
    schedule = fill(("f", Urgency.FINAL, "a"))
    job = Job("p", Urgency.PARTIAL, "a", 0.0)
    schedule.put(job)
    assert schedule.withdraw(job)
    assert not schedule.withdraw(job)
    assert names(schedule.drain()) == ["f"]
