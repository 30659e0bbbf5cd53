"""Planning on plain data: who may do what, what is possible, and which actions are sent to the PBX."""

from typing import Any

import pytest
from msgspec import structs

from domain.calls import CallState
from domain.commands import KINDS, SUPERVISORS_ONLY, CommandError, catalogue, read_command
from domain.dialling import dial_regex, permitted
from domain.queues import MISSED_REASON, AgentState, Queue, Waiting
from gateway.call_control.view import Plan, WrapUp
from tests.support.call_control import (
    AGENT,
    BOSS,
    CALLER,
    CONSULTS,
    DESKLESS,
    HERS,
    ID,
    OTHER,
    RULES,
    TALK,
    amis,
    call,
    do,
    leg,
    refused,
    status,
    view,
)

SPIED = view(
    call(CALLER, HERS),
    call(leg("spy-7", "PJSIP/1003-00000009", "1003", answered_at=3.0), call_id="main-spy-7"),
)


def keys(planned: Plan) -> str:
    return "".join(headers["Digit"] for action, headers in amis(planned) if action == "PlayDTMF")


# -- who may -----------------------------------------------------------------------------------------------
MINIMAL: dict[str, dict[str, Any]] = {
    "pause": {"reason": "小休"},
    "force_pause": {"agent": "1001", "reason": "培训"},
    "force_log_out": {"agent": "1001"},
    "wrap_up_extend": {"seconds": 30},
    "use_phone": {"phone": "desk"},
    "originate": {"to": {"agent": "1002"}},
    "transfer": {"to": {"agent": "1002"}},
    "consult": {"to": {"agent": "1002"}},
    "pick_up": {"call_id": "main-1.0"},
    "listen": {"target": "1001"},
    "whisper": {"target": "1001"},
    "barge": {"target": "1001"},
    "take_over": {"target": "1001"},
}


@pytest.mark.parametrize("name", sorted(KINDS))
def test_every_command_is_refused_for_another_agent_and_supervisors_ones_for_agents(name: str) -> None:
    args = MINIMAL.get(name, {})
    if KINDS[name] in SUPERVISORS_ONLY:
        assert refused(TALK, AGENT, name, **args)[0] == "forbidden"
    else:
        assert refused(TALK, AGENT, name, **{**args, "agent": "1002"})[0] == "forbidden"
    # A supervisor is never refused for who they are.
    try:
        do(TALK, BOSS, name, **({"agent": "1001"} | args))
    except CommandError as error:
        assert error.code == "not_possible", name


def test_a_supervisor_without_a_seat_names_an_agent() -> None:
    assert "name one" in refused(TALK, DESKLESS, "log_out")[1]
    assert amis(do(TALK, DESKLESS, "force_pause", agent="1001", reason="培训"))[0][0] == "QueuePause"
    assert refused(TALK, BOSS, "log_out", agent="7777")[0] == "not_possible"


def test_the_catalogue_names_every_command_its_arguments_and_roles() -> None:
    listed = {one["name"]: one for one in catalogue(supervises=False)}
    assert set(listed) == set(KINDS)
    assert listed["listen"]["roles"] == ["supervisor", "admin"] and not listed["listen"]["may"]
    assert listed["pause"]["may"] and listed["pause"]["args"]["required"] == ["reason"]
    assert "name" not in listed["transfer"]["args"]["properties"]
    assert "Target" in listed["transfer"]["args"]["$defs"]
    assert all(one["may"] for one in catalogue(supervises=True))


# -- the agent's state -----------------------------------------------------------------------------------
def test_log_in_joins_the_lines_missing_with_their_penalties() -> None:
    planned = do(TALK, OTHER, "log_in")
    ((_, headers),) = amis(planned)
    assert (headers["Queue"], headers["Penalty"], headers["MemberName"]) == ("yiqilai", "0", "1002")
    fresh = view(agents=(status("1002", AgentState.LOGGED_OUT, ()),))
    assert [h["Queue"] for _, h in amis(do(fresh, OTHER, "log_in"))] == ["q12345", "yiqilai"]
    assert [h["Queue"] for _, h in amis(do(fresh, OTHER, "log_in", lines=["12345"]))] == ["q12345"]
    assert refused(fresh, AGENT, "log_in", lines=["yiqilai"])[0] == "not_possible"


def test_pause_and_log_out() -> None:
    assert amis(do(TALK, AGENT, "pause", reason="小休")) == [
        ("QueuePause", {"Interface": "PJSIP/1001", "Paused": "true", "Reason": "小休"})
    ]
    assert "培训" in refused(TALK, AGENT, "pause", reason="逛街")[1]
    anything = structs.replace(TALK, rules=structs.replace(RULES, pause_reasons=()))
    assert amis(do(anything, AGENT, "pause", reason="逛街"))
    assert "reserved" in refused(anything, AGENT, "pause", reason=MISSED_REASON)[1]
    assert amis(do(TALK, AGENT, "log_out")) == [
        ("QueueRemove", {"Queue": "q12345", "Interface": "PJSIP/1001"})
    ]
    out = view(agents=(status("1001", AgentState.LOGGED_OUT, ()),))
    assert "log in first" in refused(out, AGENT, "unpause")[1]
    assert do(out, AGENT, "log_out").steps == ()


def test_wrap_up_is_left_to_the_agents_timers() -> None:
    assert do(TALK, AGENT, "wrap_up_done").steps == (WrapUp("1001"),)
    assert do(TALK, AGENT, "wrap_up_extend", seconds=60).steps == (WrapUp("1001", 60),)


# -- calls -----------------------------------------------------------------------------------------------
def test_click_to_call_rings_the_agent_first_and_only_permitted_numbers() -> None:
    idle = view()
    ((action, headers),) = amis(do(idle, AGENT, "originate", to={"number": "13962875016"}))
    assert (action, headers["Channel"], headers["Context"], headers["Exten"]) == (
        "Originate",
        "PJSIP/1001",
        "hotline-outbound",
        "13962875016",
    )
    assert headers["ChannelId"] == f"cmd-{ID}"
    assert headers["Variable"] == ["__HOTLINE_LINE=12345"]
    assert do(idle, AGENT, "originate", to={"number": "13962875016"}).result == {"call_id": f"main-cmd-{ID}"}
    for number in ("0012025550100", "1396287501", "139628750160", "85521234", "110", "+8613962875016"):
        assert refused(idle, AGENT, "originate", to={"number": number})[0] == "forbidden"
    boss = amis(do(idle, BOSS, "originate", to={"number": "001202555010"}))[0][1]
    assert boss["Context"] == "hotline-outbound-commanded"
    assert amis(do(idle, OTHER, "originate", to={"number": "85521234"}))[0][1]["Exten"] == "85521234"
    assert "on a call" in refused(TALK, AGENT, "originate", to={"agent": "1002"})[1]


def test_targets_that_cannot_take_a_call_are_refused() -> None:
    for to, text in (
        ({"agent": "1001"}, "same agent"),
        ({"agent": "2001"}, "no agent"),
        ({"agent": "7777"}, "no agent"),
        ({"queue": "nowhere"}, "no line"),
    ):
        assert text in refused(TALK, AGENT, "transfer", to=to)[1]
    busy = view(call(CALLER, HERS), agents=(status("1001"), status("1002", AgentState.TALKING)))
    assert "talking" in refused(busy, AGENT, "transfer", to={"agent": "1002"})[1]


def test_blind_transfer() -> None:
    for to, where in (
        ({"agent": "1002"}, ("hotline-to-agent", "1002")),
        ({"queue": "yiqilai"}, ("hotline-queue", "yiqilai")),
        ({"queue": "q12345"}, ("hotline-queue", "12345")),
        ({"number": "13962875016"}, ("hotline-outbound", "13962875016")),
    ):
        assert amis(do(TALK, AGENT, "transfer", to=to)) == [
            ("BlindTransfer", {"Channel": "1.1", "Context": where[0], "Exten": where[1]})
        ]
    assert refused(view(), AGENT, "transfer", to={"agent": "1002"})[0] == "not_possible"


def test_a_consultation_from_beginning_to_end() -> None:
    planned = do(TALK, AGENT, "consult", to={"agent": "1002"})
    assert [h["Value"] for a, h in amis(planned) if a == "Setvar"] == ["hotline-to-agent", "1002"]
    assert keys(planned) == "*2"
    for name, code in (
        ("complete_transfer", "*2"),
        ("cancel_transfer", "*1"),
        ("swap", "*4"),
        ("conference", "*3"),
    ):
        assert keys(do(CONSULTS, AGENT, name)) == code
        # Without a consultation the same code would begin another: it is never played then.
        assert "not consulting anybody" in refused(TALK, AGENT, name)[1]
        # The one who is consulted has no say.
        assert "not consulting anybody" in refused(CONSULTS, OTHER, name)[1]
    assert "already" in refused(CONSULTS, AGENT, "consult", to={"agent": "1002"})[1]
    assert refused(CONSULTS, AGENT, "transfer", to={"queue": "12345"})[0] == "not_possible"


@pytest.mark.parametrize(
    ("version", "begins"),
    [("16.28.0~dfsg-0+deb11u4", "Atxfer"), ("20.6.0", "Atxfer"), ("22.10.0", "Setvar"), ("", "Setvar")],
)
def test_an_old_asterisk_is_told_by_keys_whom_to_consult(version: str, begins: str) -> None:
    old = structs.replace(TALK, versions={"main": version})
    for to, where in (
        ({"agent": "1002"}, ("hotline-to-agent", "1002")),
        ({"queue": "yiqilai"}, ("hotline-transfer", "12346")),
        ({"number": "13962875016"}, ("hotline-outbound", "13962875016")),
    ):
        ((action, headers), *_) = amis(do(old, AGENT, "consult", to=to))
        assert action == begins
        if begins == "Atxfer":
            assert headers == {"Channel": "1.1", "Context": where[0], "Exten": where[1]}


def test_an_old_asterisk_cannot_consult_letters() -> None:
    config = structs.replace(RULES.agents["1002"], id="wang")
    rules = structs.replace(RULES, agents={**RULES.agents, "wang": config})
    named = structs.replace(TALK, rules=rules, versions={"main": "16.28.0"})
    code, message = refused(named, AGENT, "consult", to={"agent": "wang"})
    assert code == "not_possible"
    assert "use transfer" in message
    assert keys(do(structs.replace(named, versions={}), AGENT, "consult", to={"agent": "wang"})) == "*2"


def test_a_conference_calls_the_unit_in() -> None:
    ((action, headers),) = amis(do(TALK, AGENT, "conference", to={"number": "13962875016"}))
    assert (action, headers["Channel"]) == ("Originate", "Local/13962875016@hotline-outbound")
    assert headers["Variable"] == ["HOTLINE_TARGET=1.1", "__HOTLINE_LINE=12345"]


def test_hold_and_mute() -> None:
    planned = amis(do(TALK, AGENT, "hold"))
    assert [(a, h.get("Variable"), h.get("Value")) for a, h in planned] == [
        ("Setvar", "VOLUME(RX)", "-32767"),
        ("Setvar", "VOLUME(TX)", "-32767"),
        ("Originate", ["__HOTLINE_SPY=1.0"], None),
        ("Setvar", "HOTLINE_HELD", "1"),
    ]
    assert planned[2][1]["ChannelId"] == "hold-1.0"
    held = view(call(CALLER, structs.replace(HERS, held=True)))
    assert refused(held, AGENT, "hold")[0] == refused(held, AGENT, "mute")[0] == "not_possible"
    assert [(a, h.get("Value")) for a, h in amis(do(held, AGENT, "resume"))] == [
        ("Hangup", None),
        ("Setvar", "1"),
        ("Setvar", "1"),
        ("Setvar", "0"),
    ]
    assert refused(TALK, AGENT, "resume")[0] == "not_possible"
    assert amis(do(TALK, AGENT, "mute")) == [
        ("Setvar", {"Channel": "1.1", "Variable": "VOLUME(RX)", "Value": "-32767"}),
        ("Setvar", {"Channel": "1.1", "Variable": "HOTLINE_MUTED", "Value": "1"}),
    ]
    assert [h["Value"] for _, h in amis(do(TALK, AGENT, "unmute"))] == ["1", "0"]
    both = view(call(CALLER, structs.replace(HERS, held=True, muted=True)))
    assert [h.get("Variable") for _, h in amis(do(both, AGENT, "resume"))][3:] == [
        "HOTLINE_MUTED",
        "HOTLINE_HELD",
    ]
    # Nobody goes on with music in their ear.
    assert amis(do(held, AGENT, "transfer", to={"agent": "1002"}))[0][1]["Channel"] == "hold-1.0"
    assert amis(do(held, AGENT, "hang_up"))[0][1]["Channel"] == "hold-1.0"


def test_answer_and_hang_up() -> None:
    ringing = view(call(CALLER, leg("1.1", "PJSIP/1001-00000001", "1001")))
    assert amis(do(ringing, AGENT, "answer")) == [
        ("PJSIPNotify", {"Channel": "PJSIP/1001-00000001", "Variable": ["Event=talk"]})
    ]
    assert "is not ringing" in refused(TALK, AGENT, "answer")[1]
    assert amis(do(TALK, AGENT, "hang_up", call_id="main-1.0")) == [
        ("Hangup", {"Channel": "1.1", "Cause": "16"})
    ]
    assert refused(TALK, AGENT, "hang_up", call_id="main-9.9")[0] == "not_possible"
    assert refused(TALK, OTHER, "hang_up", call_id="main-1.0")[0] == "not_possible"
    second = structs.replace(HERS, uniqueid="2.1", bridge="b9")
    two = view(call(CALLER, HERS), call(second, call_id="main-2.0"))
    assert "call_id" in refused(two, AGENT, "hang_up")[1]
    assert amis(do(two, AGENT, "hang_up", call_id="main-2.0"))[0][1]["Channel"] == "2.1"


def test_pick_up_withdraws_who_waits() -> None:
    waits = call(structs.replace(CALLER, bridge=None), state=CallState.QUEUED)
    queue = Queue("yiqilai", "main", "yiqilai", waiting=(Waiting("main-1.0", "1.0", position=1, since=1.0),))
    waiting = view(waits, queues=(queue,))
    assert amis(do(waiting, OTHER, "pick_up", call_id="main-1.0")) == [
        (
            "QueueWithdrawCaller",
            {"Queue": "yiqilai", "Caller": "PJSIP/trunk-00000000", "WithdrawInfo": "1002"},
        )
    ]
    assert refused(waiting, AGENT, "pick_up", call_id="main-1.0")[0] == "forbidden"
    assert refused(waiting, OTHER, "pick_up", call_id="main-1.9")[0] == "not_possible"
    assert amis(do(waiting, BOSS, "pick_up", call_id="main-1.0"))[0][1]["WithdrawInfo"] == "1003"


# -- supervisors -----------------------------------------------------------------------------------------
@pytest.mark.parametrize("mode", ["listen", "whisper", "barge"])
def test_supervision_begins_or_changes_its_mode(mode: str) -> None:
    ((action, headers),) = amis(do(TALK, BOSS, mode, target="1001"))
    assert (action, headers["Channel"], headers["Exten"]) == ("Originate", "PJSIP/1003", mode)
    assert headers["Variable"] == ["HOTLINE_SPY=1.1"]
    assert headers["ChannelId"] == f"spy-{ID}"
    assert amis(do(SPIED, BOSS, mode, target="1001")) == [
        ("Setvar", {"Channel": "spy-7", "Variable": "HOTLINE_SPY", "Value": "1.1"}),
        ("Redirect", {"Channel": "spy-7", "Context": "hotline-command", "Exten": mode, "Priority": "1"}),
    ]
    assert refused(TALK, BOSS, mode, target="1003")[0] == "not_possible"
    assert refused(TALK, BOSS, mode, target="1002")[0] == "not_possible"


def test_listening_ends() -> None:
    assert amis(do(SPIED, BOSS, "stop_listening")) == [("Hangup", {"Channel": "spy-7", "Cause": "16"})]
    assert refused(TALK, BOSS, "stop_listening")[0] == "not_possible"


def test_take_over_takes_the_other_side() -> None:
    planned = amis(do(TALK, BOSS, "take_over", target="1001"))
    assert planned[-1][1]["Variable"] == ["HOTLINE_TARGET=1.0"]
    assert planned[-1][1]["ChannelId"] == f"cmd-{ID}"
    assert [h["Channel"] for _, h in amis(do(SPIED, BOSS, "take_over", target="1001"))] == [
        "spy-7",
        "PJSIP/1003",
    ]


# -- hostile input ------------------------------------------------------------------------------------------
HOSTILE = (
    "1\r\nAction: Originate",
    "1\n",
    "1&PJSIP/trunk/00900",
    "${SHELL(id)}",
    "1,2",
    "1001@hotline-outbound",
    "１２３",
    "1" * 33,
    "",
    "\x00",
    "../etc",
    " 1",
    "1 ",
)


@pytest.mark.parametrize("text", HOSTILE)
def test_nothing_but_a_number_is_a_number_and_nothing_but_an_id_an_id(text: str) -> None:
    for name, args in (
        ("originate", {"to": {"number": text}}),
        ("transfer", {"to": {"agent": text}}),
        ("transfer", {"to": {"queue": text}}),
        ("force_log_out", {"agent": text}),
        ("hang_up", {"call_id": text}),
        ("log_in", {"lines": [text]}),
        ("listen", {"target": text}),
    ):
        if name != "originate" and text == "1" * 33:
            continue
        with pytest.raises(CommandError) as caught:
            read_command(name, args)
        assert caught.value.code == "bad_args"


@pytest.mark.parametrize("reason", ["a\r\nAction: x", "a\x00", "", "x" * 41, "a,b", "a\u2028b"])
def test_a_reason_is_one_short_line(reason: str) -> None:
    with pytest.raises(CommandError, match="pause"):
        read_command("pause", {"reason": reason})


@pytest.mark.parametrize(
    "args", [[], "x", None, {"name": "log_out"}, {"agent": 5}, {"nobody": 1}, {"agent": {"$ne": 1}}]
)
def test_odd_arguments_are_named(args: Any) -> None:
    with pytest.raises(CommandError) as caught:
        read_command("log_out", args)
    assert caught.value.code == "bad_args"
    with pytest.raises(CommandError) as caught:
        read_command("no_such\r\n", {})
    assert caught.value.code == "unknown_command"
    assert "\r" not in str(caught.value)


# -- the allow-list ------------------------------------------------------------
def test_dial_patterns_are_of_fixed_length() -> None:
    assert dial_regex("0[1-9]XZN").fullmatch("01012")
    assert not dial_regex("0[1-9]XZN").fullmatch("010123")
    assert not dial_regex("XXX").fullmatch("12٣")
    assert dial_regex("*12#").fullmatch("*12#")
    assert not dial_regex("+X").fullmatch("11")
    for bad in ("0.", "0!", "X.", "", "0[1-", "0[a]", "0|1", "(1)", "1 ", "1\n", "X" * 33, "0,1", "${X}"):
        with pytest.raises(ValueError, match="dial pattern"):
            dial_regex(bad)


def test_no_rule_no_call() -> None:
    assert permitted((), "13962875016", "admin", {"12345"}) is None
