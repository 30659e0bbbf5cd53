"""Whoever follows sees what is so, in whatever order changes, turns and slow moments come."""

from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from domain import facts as f
from domain.queues import SHOWN_TO_AGENTS, AgentState, AgentStatus, Queue, Waiting
from gateway.stream.audience import Audience
from gateway.stream.encoding import encoded, visible
from gateway.stream.hub import Client, Hub
from gateway.stream.state import LiveView

AGENTS = ("1001", "1002", "1003")


class Desk:
    """A client that folds its frames as a browser would."""

    def __init__(self, audience: Audience) -> None:
        self.client = Client(audience)
        self.seq = -1
        self.items: dict[tuple[str, str], Any] = {}

    def take(self, frame: bytes, before: int | None = None) -> None:
        told = msgspec.json.decode(frame)
        assert told["seq"] > self.seq or told["type"] == "snapshot"
        assert before is None or before >= self.seq
        self.seq = told["seq"]
        if told["type"] == "snapshot":
            self.items = {}
        for item in told.get("items", told.get("changes", ())):
            self.items[item["topic"], item["key"]] = item["value"]
        for gone in told.get("removals", ()):
            self.items.pop((gone["topic"], gone["key"]), None)


class Room:
    """A hub and its desks."""

    def __init__(self) -> None:
        self.hub = Hub(LiveView(tombstones=3), queue_interval_s=0.0)
        audiences = [Audience(False, agent) for agent in (*AGENTS, "1001")]
        audiences += [Audience(True, None), Audience(True, "1002")]
        audiences.append(Audience(False, "1003", topics=frozenset({"queues"})))
        self.desks = [Desk(audience) for audience in audiences]
        self.of = {desk.client: desk for desk in self.desks}
        for desk in self.desks:
            self.hub.join(desk.client)
        self.round(deaf=frozenset(), most=100)

    def round(self, deaf: frozenset[int], most: int) -> None:
        """As the sender does it."""
        for sendings in (self.hub.own(), self.hub.share(most)):
            for clients, before, frame in sendings:
                for client in clients:
                    if self.desks.index(self.of[client]) in deaf:
                        self.hub.fall_behind(client, before)
                    else:
                        self.of[client].take(frame, before)
        for client in list(self.hub.behind):
            if self.desks.index(self.of[client]) not in deaf:
                missed = self.hub.catch_up(client)
                if missed is not None:
                    self.of[client].take(missed)

    def check(self, *, whole: bool) -> None:
        """What a desk shows is right up to its `seq`; `whole`: of everything."""
        view = self.hub.view
        for desk in self.desks:
            audience = desk.client.audience
            assert all(visible(key, view.items._all[key], audience) for key in desk.items) or not whole
            for key, item in view.items._all.items():
                if item.value is None or not visible(key, item, audience):
                    continue
                if whole or item.seq <= desk.seq:
                    assert desk.items[key] == msgspec.json.decode(encoded(key, item, audience))["value"]


def status(agent: str, at: int) -> f.AgentChanged:
    return f.AgentChanged(at=at, agent=AgentStatus(agent, agent, "", AgentState.AVAILABLE, float(at)))


def queue(name: str, at: int) -> f.QueueChanged:
    return f.QueueChanged(at=at, queue=Queue(name, "main", None, agents=at))


steps = st.one_of(
    st.tuples(st.just("agent"), st.sampled_from(AGENTS)),
    st.tuples(st.just("queue"), st.sampled_from(("a", "b"))),
    st.tuples(st.just("round"), st.frozensets(st.integers(0, 6), max_size=3), st.integers(1, 4)),
    st.tuples(st.just("again"), st.integers(0, 6)),
)


@given(st.lists(steps, max_size=40))
def test_every_desk_shows_what_is_so(script: list[Any]) -> None:
    room = Room()
    for at, step in enumerate(script, 1):
        match step:
            case ("agent", agent):
                room.hub.publish(status(agent, at))
            case ("queue", name):
                room.hub.publish(queue(name, at))
            case ("round", deaf, most):
                room.round(deaf, most)
                room.check(whole=False)
            case ("again", number):
                desk = room.desks[number]
                room.hub.restart(desk.client, max(0, desk.seq))
    for _ in range(20):
        room.round(frozenset(), 4)
    room.check(whole=True)
    assert not room.hub.behind and not room.hub.pending


def test_what_is_an_agents_own_does_not_wait_for_what_goes_round() -> None:
    room = Room()
    room.hub.publish(queue("a", 1))
    list(room.hub.own())
    assert room.hub.pending
    room.hub.publish(status("1002", 2))
    ((clients, _, frame), *_) = room.hub.own()
    assert [one.audience.agent for one in clients] == ["1002"]
    # Both in one frame, so that its `seq` is true.
    assert [one["topic"] for one in msgspec.json.decode(frame)["changes"]] == ["queues", "agents"]
    assert clients[0] not in room.hub.pending


def test_equal_bytes_for_all_alike() -> None:
    room = Room()
    room.hub.publish(queue("a", 1))
    list(room.hub.own())
    sent = list(room.hub.share(100))
    assert sorted(len(clients) for clients, _, _ in sent) == [1, 2, 4]
    assert not room.hub.pending


def test_agents_see_the_head_of_a_long_line_and_how_long_it_is() -> None:
    waiting = tuple(Waiting(f"c{n}", str(n), n, 1.0, "13800138000") for n in range(1, SHOWN_TO_AGENTS + 6))
    long = Queue("a", "main", None, waiting, len(waiting))
    room = Room()
    room.hub.publish(f.QueueChanged(at=1.0, queue=long))
    room.round(frozenset(), 100)
    agent, supervisor = room.desks[0].items["queues", "main/a"], room.desks[4].items["queues", "main/a"]
    assert [one["position"] for one in agent["waiting"]] == list(range(1, SHOWN_TO_AGENTS + 1))
    assert {one["caller"] for one in agent["waiting"]} == {"138****8000"}
    assert len(supervisor["waiting"]) == agent["waiting_total"] == len(waiting)
