"""AMI logs of call scenarios, taken from a real Asterisk 22 by the integration tests (HOTLINE_CAPTURE=1)."""

import random
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from domain.lines import Line
from domain.pbx.events import AnyPbxEvent
from domain.phones import AgentProfile
from gateway.asterisk.normalise import normalise
from gateway.calls.resync import resync
from gateway.calls.tracker import CallTracker
from tests.support.truth import Truth

FOLDER = Path(__file__).resolve().parents[1] / "data" / "ami"
NAMES = tuple(sorted(path.stem for path in FOLDER.glob("*.txt")))

LINES = (
    Line(id="12345", name="12345", numbers=("12345",), queue="q12345", digit="0"),
    Line(id="yiqilai", name="一企来", numbers=("12346",), queue="yiqilai", digit="1"),
    Line(id="shangxian", name="尚贤人才", numbers=("12347",), queue="shangxian", digit="2"),
    # Queues that only the corpus has.
    *(
        Line(id=queue, name=queue, numbers=(), queue=queue, digit=str(index))
        for index, queue in enumerate(
            (
                "doorless",
                "leaving",
                "small",
                "keyed",
                "everyone",
                "inturn",
                "bypenalty",
                "locals",
                "stayinglocals",
                "500",
                "501",
                "502",
            ),
            3,
        )
    ),
)
AGENTS = tuple(AgentProfile(one, one, f"PJSIP/{one}") for one in ("1001", "1002", "1003"))


@cache
def events(name: str) -> tuple[AnyPbxEvent, ...]:
    """The typed events of one capture."""
    found = []
    for block in (FOLDER / f"{name}.txt").read_bytes().decode().split("\r\n\r\n"):
        headers: dict[str, str] = {}
        for line in block.split("\r\n"):
            key, mark, value = line.partition(": ")
            if mark:
                headers[key] = f"{headers[key]}\n{value}" if key in headers else value
        event = normalise(headers, "main", 0.0)
        if event is not None:
            found.append(event)
    return tuple(found)


def tracker() -> CallTracker:
    """A tracker that has seen nothing."""
    return CallTracker("main", LINES, AGENTS)


def nothing_left(on: CallTracker) -> None:
    """Nothing live, and nothing kept in memory for calls that are over."""
    assert on.calls == {}
    assert on.channels == {}
    book = on.registry
    assert (book.bridges, book._members, book._call_of_linkedid, book._linkedids) == ({}, {}, {}, {})
    assert not any(book._phones.values())
    assert all(agent.call_id is None for agent in on.queue_state.agents.values())
    assert all(queue.waiting == () for queue in on.queue_state.queues.values())


def damaged(stream: Sequence[AnyPbxEvent], chance: random.Random, how_much: float) -> list[AnyPbxEvent]:
    """The stream with events lost, doubled and out of order."""
    kept = [event for event in stream if chance.random() >= how_much]
    kept += [event for event in kept if chance.random() < how_much]
    return [
        event
        for _, event in sorted(enumerate(kept), key=lambda item: item[0] + chance.uniform(0, 40 * how_much))
    ]


def interleaved(names: Sequence[str], chance: random.Random) -> list[AnyPbxEvent]:
    """Several scenarios at once, each in its own order."""
    streams = [list(events(name)) for name in names]
    merged = []
    while streams:
        stream = chance.choice(streams)
        merged.append(stream.pop(0))
        streams = [one for one in streams if one]
    return merged


def true_to(on: CallTracker, truth: Truth) -> None:
    """The tracker holds all that is on the PBX and nothing else."""
    assert set(on.channels) == truth.channels
    assert {channel.call_id for channel in on.channels.values()} == set(on.calls)
    assert {
        waiting.uniqueid: name for name, queue in on.queue_state.queues.items() for waiting in queue.waiting
    } == truth.waiting
    for call in on.calls.values():
        live = {one.uniqueid for one in on.registry.members(call.id)}
        assert live
        assert len({leg.uniqueid for leg in call.legs}) == len(call.legs)
        assert {leg.uniqueid for leg in call.legs if leg.ended_at is None} <= live
        assert call.ended_at is None
    for agent in on.queue_state.agents.values():
        assert agent.call_id is None or agent.call_id in on.calls


def healed(
    names: Sequence[str], seed: int, how_much: float, share: float
) -> tuple[CallTracker, Truth, list[AnyPbxEvent]]:
    """A tracker that saw `share` of a stream damaged and was resynchronised; the truth; what follows."""
    chance = random.Random(seed)
    stream = interleaved(names, chance)
    cut = int(len(stream) * share)
    on, truth = tracker(), Truth()
    for event in damaged(stream[:cut], chance, how_much):
        on.apply(event)
    for event in stream[:cut]:
        truth.see(event)
    resync(on, truth.snapshot(), [])
    return on, truth, stream[cut:]
