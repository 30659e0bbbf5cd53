"""The index by audience shows each client exactly what filtering everything for it would show."""

from collections.abc import Iterator
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from domain import facts as f
from domain.alarms import Alarm, Level, Measure
from domain.calls import Call, CallState, Direction, Party, Side
from domain.figures import AgentFigures, QueueFigures
from domain.orders import Alert, FieldValue, Method, Order, OrderState
from domain.queues import SHOWN_TO_AGENTS, AgentState, AgentStatus, Queue, Waiting
from domain.transcripts import Utterance
from domain.visibility.policy import NOTHING, STRANGERS, WHOLE, Visibility
from domain.visibility.redact import redact
from gateway.stream.audience import TOPICS, Audience
from gateway.stream.items import Item, Key
from gateway.stream.state import LiveView

AGENTS = ("1001", "1002", "1003")
NUMBER = "13962875016"
PERSONAL = ("calls", "queues", "transcripts", "orders", "alerts")


class Plain:
    """What `Items` does, without an index: one list in order of change, filtered anew for each client."""

    def __init__(self, tombstones: int) -> None:
        self.seq = self.floor = 0
        self.tombstones = tombstones
        self.items: dict[Key, Item] = {}

    def get(self, key: Key) -> Item | None:
        return self.items.get(key)

    def known(self, key: Key) -> bool:
        return key in self.items and self.items[key].value is not None

    def all(self) -> Iterator[tuple[Key, Item]]:
        return ((key, one) for key, one in self.items.items() if one.value is not None)

    def put(self, key: Key, value: Any, *, public: bool = False, agent: str | None = None) -> bool:
        old = self.items.get(key)
        if old is not None and old.value == value and old.agent == agent:
            return False
        self._last(key, Item(0, value, public, agent, self._former(old, agent)))
        return True

    def hand_over(self, key: Key, agent: str | None) -> None:
        old = self.items[key]
        if old.agent != agent:
            self._last(key, Item(0, old.value, old.public, agent, self._former(old, agent)))

    def remove(self, key: Key) -> None:
        self._last(key, structs.replace(self.items[key], value=None))
        gone = [one for one, item in self.items.items() if item.value is None]
        for one in gone[: max(0, len(gone) - self.tombstones)]:
            self.floor = max(self.floor, self.items.pop(one).seq)

    def _last(self, key: Key, item: Item) -> None:
        self.seq += 1
        item.seq = self.seq
        self.items.pop(key, None)
        self.items[key] = item

    @staticmethod
    def _former(old: Item | None, agent: str | None) -> frozenset[str]:
        seen = old.former | {old.agent} if old is not None else frozenset()
        return frozenset(one for one in seen if one is not None and one != agent)


def may(key: Key, item: Item, audience: Audience) -> bool:
    theirs = audience.agent is not None and item.agent == audience.agent
    return key[0] in audience.topics and (item.public or audience.sees_all or theirs)


def as_shown(key: Key, item: Item, audience: Audience) -> dict[str, Any]:
    value = item.value
    if key[0] == "queues" and not audience.sees_all:
        value = redact(structs.replace(value, waiting=value.waiting[:SHOWN_TO_AGENTS]), STRANGERS)
    elif key[0] in PERSONAL:
        value = redact(value, audience.visibility)
    return {"topic": key[0], "key": key[1], "value": msgspec.json.decode(msgspec.json.encode(value))}


def plain_snapshot(plain: Plain, audience: Audience) -> list[dict[str, Any]]:
    seen = [(key, item) for key, item in plain.all() if may(key, item, audience)]
    if not audience.sees_all:
        seen.sort(key=lambda entry: not entry[1].public)
    return [as_shown(key, item, audience) for key, item in seen]


def plain_since(plain: Plain, seq: int, audience: Audience) -> tuple[list[Any], list[Key]] | None:
    if not plain.floor <= seq <= plain.seq:
        return None
    changes, removals = [], []
    for key, item in plain.items.items():
        if item.seq <= seq or key[0] not in audience.topics:
            continue
        if may(key, item, audience):
            if item.value is None:
                removals.append(key)
            else:
                changes.append(as_shown(key, item, audience))
        elif audience.agent in item.former:
            removals.append(key)
    return changes, removals


# -- what happens ----------------------------------------------------------------------------------
def call(number: int, agent: str | None, state: CallState) -> Call:
    return Call(
        f"m-{number}", "m", str(number), Direction.INBOUND, state, Party(NUMBER), "12345", 1.0, agent=agent
    )


def order(number: int, title: str) -> Order:
    fields = {"phone": FieldValue(title, 1.0, Method.AGENT)}
    return Order(f"o-{number}", f"m-{number}", "12345", OrderState.DRAFT, fields, 1.0, 1.0)


def alarm(number: int) -> Alarm:
    return Alarm(
        id=f"r/{number}",
        rule="r",
        name="r",
        measure=Measure.WAITING,
        level=Level.WARNING,
        value=1,
        threshold=1,
        since=1.0,
        pbx="m",
    )


numbers = st.integers(0, 2)
agents = st.sampled_from((None, *AGENTS))
texts = st.sampled_from(("", "你好", f"打{NUMBER}"))
facts: st.SearchStrategy[f.AnyFact] = st.one_of(
    st.builds(
        lambda n, a, s: f.CallUpdated(at=1.0, call=call(n, a, s), what="x"),
        numbers,
        agents,
        st.sampled_from((CallState.RINGING, CallState.TALKING, CallState.ENDED)),
    ),
    st.builds(
        lambda n, k, t: f.UtteranceHeard(
            at=1.0, utterance=Utterance(f"m-{n}/{k}", f"m-{n}", Side.CALLER, float(k), 1.0, t)
        ),
        numbers,
        numbers,
        texts,
    ),
    st.builds(lambda n, t: f.OrderChanged(at=1.0, order=order(n, t), changed=()), numbers, texts),
    st.builds(
        lambda n, a: f.LifeSafetyAlert(at=1.0, alert=Alert(f"m-{n}", f"o-{n}", "l", a, 1.0, NUMBER, 1.0)),
        numbers,
        agents,
    ),
    st.builds(lambda n, over: f.AlarmChanged(at=1.0, alarm=alarm(n), over=over), numbers, st.booleans()),
    st.builds(
        lambda n, w: f.QueueChanged(
            at=1.0, queue=Queue(f"q{n}", "m", None, (Waiting("c", "1", 1, 1.0, NUMBER),) * w)
        ),
        numbers,
        st.sampled_from((0, 1, SHOWN_TO_AGENTS + 2)),
    ),
    st.builds(
        lambda a, since: f.AgentChanged(
            at=1.0, agent=AgentStatus(a, "王芳", "PJSIP/1", AgentState.AVAILABLE, float(since))
        ),
        st.sampled_from(AGENTS),
        numbers,
    ),
    st.builds(
        lambda a, taken: f.AgentFiguresChanged(at=1.0, figures=AgentFigures(a, 1.0, taken)),
        st.sampled_from(AGENTS),
        numbers,
    ),
    st.builds(
        lambda n, k: f.QueueFiguresChanged(
            at=1.0,
            figures=QueueFigures(
                pbx="m", queue=f"q{n}", line=None, start=1.0, end=2.0, interval=k, answered=n
            ),
        ),
        numbers,
        st.one_of(st.none(), numbers),
    ),
)
audiences = st.builds(
    Audience,
    st.booleans(),
    agents,
    st.sampled_from((WHOLE, NOTHING, Visibility(numbers=False))),
    st.one_of(
        st.just(frozenset(TOPICS)), st.frozensets(st.sampled_from(("calls", "orders", "queues", "figures")))
    ),
)


@given(
    st.lists(st.one_of(facts, st.just("tick")), max_size=60),
    st.lists(audiences, min_size=1, max_size=4),
    st.sampled_from((2, 1000)),
    st.data(),
)
def test_each_client_gets_what_filtering_everything_would_give(
    script: list[Any], looking: list[Audience], tombstones: int, data: st.DataObject
) -> None:
    indexed, filtered = LiveView(tombstones=tombstones, recent_orders=1), LiveView(recent_orders=1)
    plain: Any = Plain(tombstones)
    filtered.items = plain
    for number, step in enumerate(script):
        for view in (indexed, filtered):
            if step == "tick":
                view.tick(1e12)
            else:
                view.apply(step)
        assert indexed.seq == plain.seq
        audience = looking[number % len(looking)]
        shown = msgspec.json.decode(indexed.snapshot(audience))
        assert (shown["type"], shown["seq"]) == ("snapshot", plain.seq)
        assert shown["items"] == plain_snapshot(plain, audience)
        seq = data.draw(st.integers(0, indexed.seq + 1))
        news = indexed.since(seq, audience)
        told = None if news is None else ([msgspec.json.decode(one) for one in news[0]], news[1])
        assert told == plain_since(plain, seq, audience)


def test_the_index_forgets_what_is_forgotten() -> None:
    view = LiveView(tombstones=5, recent_orders=1)
    for number in range(100):
        view.apply(f.CallUpdated(at=1.0, call=call(number, f"a{number}", CallState.TALKING), what="x"))
        view.apply(f.CallUpdated(at=1.0, call=call(number, f"b{number}", CallState.ENDED), what="x"))
        view.tick(1e12)
    assert len(view.items._all) == 5
    assert len(view.items._of_agent) == 10
