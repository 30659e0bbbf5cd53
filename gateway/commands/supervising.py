"""What a supervisor does with another agent's call: listen, whisper, barge in, take over."""

from gateway.commands.calling import idle
from gateway.commands.view import GONE, Ami, Either, Plan, Seat, View, impossible, own_leg, peers
from gateway.models import commands as c

MODES = {c.Listen: "listen", c.Whisper: "whisper", c.Barge: "barge"}
CONTEXT = "hotline-command"


def spy_channel(agent: str) -> str:
    """The unique id of the supervisor's listening channel: ours to give, so one is enough."""
    return f"spy-{agent}"


def supervise(view: View, seat: Seat, command: c.Listen | c.Whisper | c.Barge) -> Plan:
    """The supervisor's phone rings and hears the agent's leg; where it does already, only the mode changes."""
    call, leg = own_leg(view, _other(seat, command), None)
    if call.pbx != seat.pbx:
        raise impossible(f"agent {command.target} is on PBX {call.pbx}, agent {seat.id} on {seat.pbx}")
    idle(view, seat)
    mode, channel = MODES[type(command)], spy_channel(seat.id)
    switch = (
        Ami("Setvar", {"Channel": channel, "Variable": "HOTLINE_SPY", "Value": leg.uniqueid}),
        Ami("Redirect", {"Channel": channel, "Context": CONTEXT, "Exten": mode, "Priority": "1"}),
    )
    begin = Ami("Originate", _call(seat, channel, mode, f"HOTLINE_SPY={leg.uniqueid}", command.target))
    return Plan(call.pbx, (Either(switch, (begin,)),), {"call_id": call.id, "mode": mode})


def stop_listening(_: View, seat: Seat, __: c.StopListening) -> Plan:
    """The supervisor's listening leg ends."""
    step = Ami("Hangup", {"Channel": spy_channel(seat.id), "Cause": "16"})
    return Plan(seat.pbx, (step,))


def take_over(view: View, seat: Seat, command: c.TakeOver, command_id: str) -> Plan:
    """The other side of the agent's conversation is bridged with the supervisor; the agent's leg ends."""
    call, leg = own_leg(view, _other(seat, command), None)
    others = peers(view, leg)
    if call.pbx != seat.pbx or len(others) != 1:
        raise impossible("only a conversation of two on the supervisor's own PBX can be taken over")
    idle(view, seat)
    ((other),) = others
    channel = f"cmd-{command_id}"
    steps = (
        Ami("Hangup", {"Channel": spy_channel(seat.id), "Cause": "16"}, tolerates=GONE),
        *(
            # Music of a hold must not go over with the caller.
            [Ami("Hangup", {"Channel": f"hold-{other.uniqueid}", "Cause": "16"}, tolerates=GONE)]
            if leg.held
            else []
        ),
        Ami(
            "Originate", _call(seat, channel, "take_over", f"HOTLINE_TARGET={other.uniqueid}", command.target)
        ),
    )
    return Plan(call.pbx, steps, {"call_id": call.id})


def _other(seat: Seat, command: c.Supervision) -> str:
    if command.target == seat.id:
        raise impossible("that is the supervisor's own seat")
    return command.target


def _call(seat: Seat, channel: str, exten: str, variable: str, shown: str) -> dict[str, str | list[str]]:
    return {
        "Channel": seat.phone,
        "ChannelId": channel,
        "Context": CONTEXT,
        "Exten": exten,
        "Priority": "1",
        "CallerID": f"<{shown}>",
        "Timeout": "30000",
        "Async": "true",
        "Variable": [variable],
    }
