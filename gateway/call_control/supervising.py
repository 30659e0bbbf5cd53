"""Commands of a supervisor on another agent's call: listen, whisper, barge in, take over."""

from domain import commands as c
from domain.calls import Leg
from gateway.call_control.calling import idle
from gateway.call_control.view import GONE, AgentConfig, Ami, Plan, View, impossible, own_leg, peers

MODES = {c.Listen: "listen", c.Whisper: "whisper", c.Barge: "barge"}
CONTEXT = "hotline-command"


SPY = "spy-"
"""Prefix of the unique ids the gateway gives to channels that only listen, to recognise them later."""


def supervise(
    view: View, config: AgentConfig, command: c.Listen | c.Whisper | c.Barge, command_id: str
) -> Plan:
    """Ring the supervisor's phone and let it hear the agent; if it already does, only change the mode."""
    call, leg = own_leg(view, _other(config, command), None)
    if call.pbx != config.pbx:
        raise impossible(
            "supervised_on_other_pbx", target=command.target, pbx=call.pbx, agent=config.id, own=config.pbx
        )
    mode = MODES[type(command)]
    result = {"call_id": call.id, "mode": mode}
    if (spy := _spy(view, config)) is not None:
        steps = (
            Ami("Setvar", {"Channel": spy.uniqueid, "Variable": "HOTLINE_SPY", "Value": leg.uniqueid}),
            Ami("Redirect", {"Channel": spy.uniqueid, "Context": CONTEXT, "Exten": mode, "Priority": "1"}),
        )
        return Plan(call.pbx, steps, result)
    idle(view, config)
    begin = _call(config, f"{SPY}{command_id}", mode, f"HOTLINE_SPY={leg.uniqueid}", command.target)
    return Plan(call.pbx, (Ami("Originate", begin),), result)


def stop_listening(view: View, config: AgentConfig, _: c.StopListening) -> Plan:
    """End the supervisor's listening leg."""
    spy = _spy(view, config)
    if spy is None:
        raise impossible("not_listening", agent=config.id)
    return Plan(config.pbx, (Ami("Hangup", {"Channel": spy.uniqueid, "Cause": "16"}),))


def take_over(view: View, config: AgentConfig, command: c.TakeOver, command_id: str) -> Plan:
    """Bridge the other side of the agent's conversation with the supervisor and end the agent's leg."""
    call, leg = own_leg(view, _other(config, command), None)
    others = peers(view, leg)
    if call.pbx != config.pbx or len(others) != 1:
        raise impossible("take_over_of_two")
    (other,) = others
    ends = []
    if (spy := _spy(view, config)) is not None:
        ends.append(spy.uniqueid)
    else:
        idle(view, config)
    if leg.held:
        # The music of a hold must not follow the caller.
        ends.append(f"hold-{other.uniqueid}")
    steps = [Ami("Hangup", {"Channel": channel, "Cause": "16"}, tolerates=GONE) for channel in ends]
    begin = _call(
        config, f"cmd-{command_id}", "take_over", f"HOTLINE_TARGET={other.uniqueid}", command.target
    )
    return Plan(call.pbx, (*steps, Ami("Originate", begin)), {"call_id": call.id})


def _spy(view: View, config: AgentConfig) -> Leg | None:
    return next((leg for _, leg in view.legs(config.id) if leg.uniqueid.startswith(SPY)), None)


def _other(config: AgentConfig, command: c.Supervision) -> str:
    if command.target == config.id:
        raise impossible("own_seat")
    return command.target


def _call(
    config: AgentConfig, channel: str, exten: str, variable: str, shown: str
) -> dict[str, str | list[str]]:
    return {
        "Channel": config.phone,
        "ChannelId": channel,
        "Context": CONTEXT,
        "Exten": exten,
        "Priority": "1",
        "CallerID": f"<{shown}>",
        "Timeout": "30000",
        "Async": "true",
        "Variable": [variable],
    }
