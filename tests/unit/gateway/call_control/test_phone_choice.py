"""An agent's two phones: which can be chosen when, and how queue memberships follow."""

from typing import Any

from msgspec import structs

from domain.calls import Call
from domain.commands import read_command
from domain.phones import PhoneKind
from domain.queues import AgentState, AgentStatus
from gateway.call_control.phone_choice import follow
from gateway.call_control.plan import plan
from gateway.call_control.view import AgentConfig, Ami, Rules, View
from tests.support.call_control import AGENT, BOSS, CALLER, HERS, ID, LINES, amis, call, refused

BROWSER, DESK = "PJSIP/1001", "PJSIP/1001-desk"
CONFIGS = {
    "1001": AgentConfig(
        "1001",
        BROWSER,
        "main",
        {"12345": 3, "yiqilai": 7},
        {PhoneKind.BROWSER: BROWSER, PhoneKind.DESK: DESK},
    ),
    "1002": AgentConfig("1002", "PJSIP/1002", "main", {"12345": 0}),
}


def view(*calls: Call, always: bool = False, **more: Any) -> View:
    """The agent, logged in by the browser unless said otherwise."""
    given: dict[str, Any] = {
        "state": AgentState.AVAILABLE,
        "phone": BROWSER,
        "kind": PhoneKind.BROWSER,
        "queues": ("q12345",),
        "phones": (BROWSER,),
    } | more
    status = AgentStatus(id="1001", name="1001", since=0.0, **given)
    rules = Rules(agents=CONFIGS, lines=LINES, desk_login=not always)
    return View(rules, {"1001": status}, {one.id: one for one in calls})


def steps(on: View, phone: str = "desk") -> list[tuple[str, dict[str, Any]]]:
    return amis(plan(on, AGENT, read_command("use_phone", {"phone": phone}), ID))


def added(queue: str, phone: str, penalty: int, paused: bool = False) -> tuple[str, dict[str, Any]]:
    headers = {"Queue": queue, "Interface": phone, "Penalty": str(penalty), "MemberName": "1001"}
    return "QueueAdd", {**headers, "StateInterface": phone, "Paused": str(paused).lower()}


def removed(queue: str, phone: str) -> tuple[str, dict[str, Any]]:
    return "QueueRemove", {"Queue": queue, "Interface": phone}


CHOSEN = ("Setvar", {"Variable": "DEVICE_STATE(Custom:hotline-desk-1001)", "Value": "INUSE"})
GIVEN_BACK = ("Setvar", {"Variable": "DEVICE_STATE(Custom:hotline-desk-1001)", "Value": "NOT_INUSE"})


def test_the_choice_is_kept_first_then_in_at_the_one_phone_then_out_at_the_other() -> None:
    assert steps(view()) == [CHOSEN, added("q12345", DESK, 3), removed("q12345", BROWSER)]
    back = view(phone=DESK, kind=PhoneKind.DESK, phones=(DESK,))
    assert steps(back, "browser") == [GIVEN_BACK, added("q12345", BROWSER, 3), removed("q12345", DESK)]
    # In no queue: the choice alone.
    assert steps(view(queues=(), phones=(), state=AgentState.LOGGED_OUT)) == [CHOSEN]


def test_what_keeps_calls_away_comes_along() -> None:
    def pause(reason: str) -> tuple[str, dict[str, Any]]:
        return "QueuePause", {"Interface": DESK, "Paused": "true", "Reason": reason}

    moved = [added("q12345", DESK, 3, paused=True), removed("q12345", BROWSER)]
    for state in (AgentState.PAUSED, AgentState.UNREACHABLE):
        paused = steps(view(state=state, reason="小休"))
        assert paused == [CHOSEN, moved[0], pause("小休"), moved[1]]
    wrapping = steps(view(state=AgentState.WRAP_UP, wrap_up_until=170.0))
    assert wrapping == [CHOSEN, moved[0], pause("wrap-up:170"), moved[1]]


def test_not_during_a_call() -> None:
    for state in (AgentState.RINGING, AgentState.TALKING, AgentState.ON_HOLD):
        assert refused(view(state=state), AGENT, "use_phone", phone="desk")[0] == "not_possible"
    on_call = view(call(CALLER, HERS))
    assert "on a call" in refused(on_call, AGENT, "use_phone", phone="desk")[1]
    # What changes nothing is no harm.
    assert steps(on_call, "browser") == []


def test_only_a_phone_that_is_there() -> None:
    assert refused(view(), AGENT, "use_phone", phone="fax")[0] == "bad_args"
    code, why = refused(view(), BOSS, "use_phone", phone="browser", agent="1002")
    assert (code, "no browser phone" in why) == ("not_possible", True)
    assert amis(plan(view(), BOSS, read_command("use_phone", {"phone": "desk", "agent": "1002"}), ID)) == []


def test_every_command_goes_to_the_phone_chosen() -> None:
    desk = view(phone=DESK, kind=PhoneKind.DESK, queues=(), phones=(), state=AgentState.LOGGED_OUT)
    joined = amis(plan(desk, AGENT, read_command("log_in", {"lines": ["12345"]}), ID))
    assert [(name, headers["Interface"]) for name, headers in joined] == [("QueueAdd", DESK)]
    call_out = read_command("originate", {"to": {"queue": "yiqilai"}})
    ((_, headers),) = amis(plan(structs.replace(desk), AGENT, call_out, ID))
    assert headers["Channel"] == DESK


def test_a_switch_cut_short_is_finished() -> None:
    half = view(phone=DESK, kind=PhoneKind.DESK, phones=(BROWSER, DESK), queues=("q12345", "yiqilai"))
    config = half.agent_config("1001")
    assert config is not None
    did = [(one.action, dict(one.headers)) for one in follow(half, config) if isinstance(one, Ami)]
    joins = [added("q12345", DESK, 3), added("yiqilai", DESK, 7)]
    assert did == [*joins, removed("q12345", BROWSER), removed("yiqilai", BROWSER)]
    whole = view(phone=DESK, kind=PhoneKind.DESK, phones=(DESK,))
    assert follow(whole, config) == ()
    # A third phone was put there by hand: the PBX's own business.
    assert follow(view(phones=(BROWSER, "PJSIP/77")), CONFIGS["1001"]) == ()


def test_who_is_always_in_the_queues_is_brought_there_and_stays() -> None:
    nowhere = view(always=True, queues=(), phones=(), state=AgentState.LOGGED_OUT)
    config = CONFIGS["1001"]
    did = [(one.action, dict(one.headers)) for one in follow(nowhere, config) if isinstance(one, Ami)]
    assert did == [added("q12345", BROWSER, 3), added("yiqilai", BROWSER, 7)]
    everywhere = view(always=True, queues=("q12345", "yiqilai"))
    assert follow(everywhere, config) == ()
    # The line was taken from the agent; a queue that is no line's is not ours to leave.
    less = structs.replace(config, lines={"12345": 3})
    stale = view(always=True, queues=("q12345", "yiqilai", "house"))
    assert [step.headers for step in follow(stale, less) if isinstance(step, Ami)] == [
        {"Queue": "yiqilai", "Interface": BROWSER}
    ]
    assert "by configuration" in refused(everywhere, AGENT, "log_out")[1]
