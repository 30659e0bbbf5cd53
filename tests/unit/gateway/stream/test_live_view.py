"""The live view: who sees what, what a slow client gets, what is forgotten."""

from typing import Any

import msgspec
from msgspec import structs

from domain import facts as f
from domain.alarms import Alarm, Level, Measure
from domain.calls import Call, CallState, Direction, Party, Side
from domain.queues import AgentState, AgentStatus, Queue, Waiting
from domain.recogniser import Load, Recogniser
from domain.transcripts import Utterance, utterance_id
from gateway.stream.audience import Audience
from gateway.stream.state import LiveView

ALL = Audience(sees_all=True, agent=None)


def agent(name: str) -> Audience:
    return Audience(sees_all=False, agent=name)


def call(number: int = 1, **changes: Any) -> Call:
    made = Call(
        id=f"main-{number}",
        pbx="main",
        linkedid=str(number),
        direction=Direction.INBOUND,
        state=CallState.TALKING,
        caller=Party("13962875016", "<img src=x onerror=alert(1)>"),
        called="12345",
        started_at=1.0,
        agent="1001",
    )
    return structs.replace(made, **changes)


def said(number: int, text: str = "你好") -> f.UtteranceHeard:
    start = float(number)
    utterance = Utterance(
        utterance_id("main-1", Side.CALLER, start), "main-1", Side.CALLER, start, start + 1, text
    )
    return f.UtteranceHeard(at=start, utterance=utterance)


def seen(view: LiveView, audience: Audience) -> dict[tuple[str, str], Any]:
    items = msgspec.json.decode(view.snapshot(audience))["items"]
    return {(item["topic"], item["key"]): item["value"] for item in items}


def test_an_agent_sees_their_own_calls_a_supervisor_all() -> None:
    view = LiveView()
    view.apply(f.CallUpdated(at=1.0, call=call(1), what="x"))
    view.apply(f.CallUpdated(at=1.0, call=call(2, agent="1002"), what="x"))
    view.apply(said(3))
    assert {key[1] for key in seen(view, agent("1001")) if key[0] == "calls"} == {"main-1"}
    assert not [key for key in seen(view, agent("1002")) if key[0] == "transcripts"]
    assert {key[1] for key in seen(view, ALL) if key[0] == "calls"} == {"main-1", "main-2"}
    assert seen(view, ALL)["calls", "main-1"]["caller"]["name"] == "<img src=x onerror=alert(1)>"


def test_waiting_callers_numbers_are_masked_for_agents() -> None:
    view = LiveView()
    waiting = Waiting(call_id="main-9", uniqueid="9", position=1, since=1.0, caller="13962875016")
    view.apply(f.QueueChanged(at=1.0, queue=Queue(name="q", pbx="main", line=None, waiting=(waiting,))))
    assert "13962875016" not in str(seen(view, agent("1001")))
    assert "13962875016" in str(seen(view, ALL))


def test_a_slow_client_gets_only_the_latest_of_each_key() -> None:
    view = LiveView()
    start = view.seq
    for second in range(1000):
        status = AgentStatus("1001", "王芳", "PJSIP/1001", AgentState.TALKING, float(second))
        view.apply(f.AgentChanged(at=float(second), agent=status))
    news = view.since(start, ALL)
    assert news is not None
    (change,), removals = news
    item = msgspec.json.decode(change)
    assert (item["topic"], item["key"], removals) == ("agents", "1001", [])
    assert item["value"]["since"] == 999.0
    assert view.since(view.seq, ALL) == ([], [])


def test_a_transferred_call_leaves_the_first_agents_screen() -> None:
    view = LiveView()
    view.apply(f.CallUpdated(at=1.0, call=call(), what="x"))
    view.apply(said(2))
    before = view.seq
    view.apply(f.CallUpdated(at=3.0, call=call(agent="1002"), what="transfer"))
    news = view.since(before, agent("1001"))
    assert news is not None
    changes, removals = news
    assert changes == []
    assert ("calls", "main-1") in removals
    assert {key[0] for key in seen(view, agent("1002"))} == {"calls", "transcripts"}


def test_an_ended_call_lingers_then_goes_with_its_words() -> None:
    view = LiveView(linger_s=30.0)
    view.apply(f.CallUpdated(at=1.0, call=call(), what="x"))
    view.apply(said(2))
    view.apply(f.CallEnded(at=10.0, call=call(state=CallState.ENDED, ended_at=10.0)))
    view.tick(39.0)
    assert seen(view, ALL)
    before = view.seq
    view.tick(40.0)
    assert seen(view, ALL) == {}
    news = view.since(before, ALL)
    assert news is not None
    assert len(news[1]) == 2


def test_whoever_was_away_too_long_needs_a_new_snapshot() -> None:
    view = LiveView(linger_s=0.0, tombstones=3)
    long_ago = view.seq
    for number in range(10):
        view.apply(f.CallUpdated(at=1.0, call=call(number), what="x"))
        view.apply(f.CallEnded(at=1.0, call=call(number, state=CallState.ENDED)))
        view.tick(2.0)
    assert view.since(long_ago, ALL) is None
    assert view.since(view.seq - 1, ALL) is not None


def test_a_partial_is_replaced_by_the_next_and_by_the_final_and_taken_back_by_an_empty_one() -> None:
    view = LiveView()
    view.apply(f.CallUpdated(at=1.0, call=call(1), what="x"))
    for text, final in (("我要", False), ("我要举报", False), ("我要举报。", True)):
        fact = said(3, text)
        view.apply(structs.replace(fact, utterance=structs.replace(fact.utterance, final=final)))
    (shown,) = [value for key, value in seen(view, ALL).items() if key[0] == "transcripts"]
    assert (shown["text"], shown["final"]) == ("我要举报。", True)
    phantom = said(9, "字幕")
    view.apply(structs.replace(phantom, utterance=structs.replace(phantom.utterance, final=False)))
    before = view.seq
    gone = said(9, "")
    view.apply(structs.replace(gone, utterance=structs.replace(gone.utterance, final=False)))
    changed = view.since(before, agent("1001"))
    assert changed is not None
    assert changed[1] == [("transcripts", gone.utterance.id)]
    view.apply(structs.replace(gone, utterance=structs.replace(gone.utterance, final=False)))
    assert len([key for key in seen(view, ALL) if key[0] == "transcripts"]) == 1


def test_everybody_sees_how_the_recogniser_keeps_up() -> None:
    view = LiveView()
    state = Recogniser(load=Load.DELAYED, ready=True, waiting=7, lag=3.2, partials_dropped=12)
    view.apply(f.RecogniserChanged(at=1.0, recogniser=state))
    assert seen(view, agent("1001"))["asr", "asr"]["load"] == "delayed"


def test_alarms_are_the_supervisors_and_leave_when_over() -> None:
    view = LiveView()
    alarm = Alarm(
        id="r/main/q",
        rule="r",
        name="规则",
        measure=Measure.WAITING,
        level=Level.WARNING,
        value=3,
        threshold=2,
        since=1.0,
        pbx="main",
    )
    view.apply(f.AlarmChanged(at=1.0, alarm=alarm, over=False))
    assert ("alarms", alarm.id) in seen(view, ALL)
    assert seen(view, agent("1001")) == {}
    view.apply(f.AlarmChanged(at=2.0, alarm=alarm, over=True))
    assert seen(view, ALL) == {}
    view.apply(f.AlarmChanged(at=3.0, alarm=alarm, over=True))
