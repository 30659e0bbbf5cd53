"""Commands about calls: click-to-call, hold, mute, transfers, conference, pick-up.

Attended transfers are Asterisk's own (`features.conf`): the gateway plays the feature codes on the agent's
channel, so that they work with every phone and the PBX's transfer events are right.
"""

import re

from msgspec import structs

from domain import commands as c
from domain.calls import Call, Leg
from domain.dialling import permitted
from domain.queues import AgentState
from gateway.call_control.view import (
    BUSY,
    GONE,
    Actor,
    AgentConfig,
    Ami,
    Plan,
    Step,
    View,
    consults,
    forbidden,
    impossible,
    own_leg,
    peers,
)

BEGIN, CANCEL, COMPLETE, THREE_WAY, SWAP = "*2", "*1", "*2", "*3", "*4"
"""Feature codes of features.conf: atxfer, atxferabort, atxfercomplete, atxferthreeway, atxferswap."""
TAKES_TARGET = 21
"""The first major version of Asterisk all of whose releases read an attended transfer's target from
TRANSFER_EXTEN; older ones need the target dialled as digits."""
DIGITS = re.compile(r"[0-9*#]{1,32}")
SILENT = "-32767"
"""func_volume divides each sample by this, which leaves silence."""


def where_to(view: View, actor: Actor, config: AgentConfig, to: c.Target) -> tuple[str, str]:
    """Return the (context, extension) of a target in `deploy/asterisk/extensions.conf`.

    Raises:
        CommandError: there is no such target, it cannot take a call now, or the number is not permitted.
    """
    if to.agent is not None:
        other = view.rules.agents.get(to.agent)
        if other is None or other.pbx != config.pbx:
            raise impossible("agent_not_on_pbx", agent=to.agent, pbx=config.pbx)
        if other.id == config.id:
            raise impossible("target_self")
        state = view.state(other.id)
        if state in (*BUSY, AgentState.UNREACHABLE):
            raise impossible("target_busy", agent=other.id, state=str(state))
        return "hotline-to-agent", other.id
    if to.queue is not None:
        line = next((line for line in view.rules.lines if to.queue in (line.id, line.queue)), None)
        if line is None:
            raise impossible("queue_unknown", queue=to.queue)
        return "hotline-queue", line.id
    number = to.number or ""
    rule = permitted(view.rules.dial, number, actor.role, config.lines)
    if rule is None:
        raise forbidden("number_forbidden", number=number)
    ours = "hotline-outbound" if rule.for_everyone else "hotline-outbound-commanded"
    return view.rules.outbound_context or ours, number


def idle(view: View, config: AgentConfig) -> None:
    """Raise CommandError if the agent's phone is in a call or not registered."""
    if next(view.legs(config.id), None) is not None:
        raise impossible("on_call", agent=config.id)
    if view.state(config.id) is AgentState.UNREACHABLE:
        raise impossible("phone_unregistered", phone=config.phone, agent=config.id)


def originate(view: View, actor: Actor, config: AgentConfig, command: c.Originate, command_id: str) -> Plan:
    """Ring the agent's phone first. The channel id comes from the command: a repetition rings only once."""
    idle(view, config)
    if command.to is None:
        raise impossible("caller_unknown", call=command.back_to)
    context, exten = where_to(view, actor, config, command.to)
    line = command.line or next(iter(config.lines), "")
    if command.line and command.line not in config.lines and not actor.supervises:
        raise forbidden("line_not_served", agent=config.id, line=command.line)
    if line and line not in {one.id for one in view.rules.lines}:
        raise impossible("line_unknown", line=line)
    channel = f"cmd-{command_id}"
    step = Ami(
        "Originate",
        {
            "Channel": config.phone,
            "ChannelId": channel,
            "Context": context,
            "Exten": exten,
            "Priority": "1",
            "CallerID": f"<{exten}>",
            "Timeout": "30000",
            "Async": "true",
            "Variable": [f"__HOTLINE_LINE={line}"] if line else [],
        },
    )
    return Plan(config.pbx, (step,), {"call_id": f"{config.pbx}-{channel}"})


def answer(view: View, config: AgentConfig, command: c.Answer) -> Plan:
    """Send `Event: talk` in the ringing dialogue; desk phones with remote call control answer on it."""
    call, leg = own_leg(view, config.id, command.call_id, talking=False)
    if leg.answered_at is not None or leg.bridge is not None:
        raise impossible("not_ringing", agent=config.id)
    if not leg.channel.startswith("PJSIP/"):
        raise impossible("phone_by_hand", phone=config.phone)
    step = Ami("PJSIPNotify", {"Channel": leg.channel, "Variable": ["Event=talk"]})
    return Plan(call.pbx, (step,), {"call_id": call.id})


def hang_up(view: View, config: AgentConfig, command: c.HangUp) -> Plan:
    """Hang up the agent's own leg; the dialplan decides what happens to the other."""
    found = [(call, leg) for call, leg in view.legs(config.id) if command.call_id in (None, call.id)]
    talking = [(call, leg) for call, leg in found if leg.bridge is not None]
    if not found:
        raise impossible("no_call_to_hang_up", agent=config.id)
    if len(talking or found) != 1:
        raise impossible("calls_unclear", agent=config.id, count=len(talking or found))
    ((call, leg),) = talking or found
    # The music whispered to a party on hold must not outlive the hold.
    release = _release(view, leg) if leg.held else ()
    return Plan(call.pbx, (*release, Ami("Hangup", {"Channel": leg.uniqueid, "Cause": "16"})), _of(call))


def hold(view: View, config: AgentConfig, command: c.Hold) -> Plan:
    """Whisper music to everybody else in the bridge and silence the agent's leg both ways."""
    call, leg = own_leg(view, config.id, command.call_id)
    if leg.held:
        raise impossible("held_already")
    others = peers(view, leg)
    if not others:
        raise impossible("nobody_to_hold")
    steps: list[Step] = [_volume(leg, "RX", False), _volume(leg, "TX", False)]
    for other in others:
        variables = [f"__HOTLINE_SPY={other.uniqueid}"]
        steps.append(
            Ami(
                "Originate",
                {
                    "Channel": "Local/music@hotline-listen/n",
                    "ChannelId": _music(other),
                    "Context": "hotline-listen",
                    "Exten": "hold",
                    "Priority": "1",
                    "Async": "true",
                    "Variable": variables,
                },
            )
        )
    return Plan(call.pbx, (*steps, _held(leg, True)), _of(call))


def resume(view: View, config: AgentConfig, command: c.Resume) -> Plan:
    """Undo `hold`; this also ends a mute."""
    call, leg = own_leg(view, config.id, command.call_id)
    if not leg.held:
        raise impossible("not_held")
    return Plan(call.pbx, _release(view, leg), _of(call))


def mute(view: View, config: AgentConfig, command: c.Mute | c.Unmute) -> Plan:
    """Mute or unmute the agent towards the others."""
    call, leg = own_leg(view, config.id, command.call_id)
    if leg.held:
        raise impossible("held")
    muted = isinstance(command, c.Mute)
    return Plan(call.pbx, (_volume(leg, "RX", not muted), _muted(leg, muted)), _of(call))


def hold_and_mute(leg: Leg) -> tuple[Ami, ...]:
    """Silence a leg that replaced another, as that one was. The music of a hold keeps playing."""
    if leg.held:
        steps = [_volume(leg, "RX", False), _volume(leg, "TX", False), _held(leg, True)]
        return (*steps, *([_muted(leg, True)] if leg.muted else []))
    return (_volume(leg, "RX", False), _muted(leg, True)) if leg.muted else ()


def transfer(view: View, actor: Actor, config: AgentConfig, command: c.Transfer) -> Plan:
    """Send the other side to the target at once and end the agent's leg."""
    call, leg = own_leg(view, config.id, command.call_id)
    if consults(call, leg):
        raise impossible("consulting")
    if not peers(view, leg):
        raise impossible("nobody_to_transfer")
    context, exten = where_to(view, actor, config, command.to)
    release = _release(view, leg) if leg.held else ()
    step = Ami("BlindTransfer", {"Channel": leg.uniqueid, "Context": context, "Exten": exten})
    return Plan(call.pbx, (*release, step), _of(call))


def consult(view: View, actor: Actor, config: AgentConfig, command: c.Consult) -> Plan:
    """Start Asterisk's attended transfer: the other side hears music while the target is called."""
    call, leg = own_leg(view, config.id, command.call_id)
    if consults(call, leg):
        raise impossible("consulting_already")
    if len(peers(view, leg)) != 1:
        raise impossible("consult_of_two")
    context, exten = where_to(view, actor, config, command.to)
    release = _release(view, leg) if leg.held else ()
    if 0 < view.major(call.pbx) < TAKES_TARGET:
        context, exten = _by_keys(view, context, exten)
        begin: tuple[Ami, ...] = (
            Ami("Atxfer", {"Channel": leg.uniqueid, "Context": context, "Exten": exten}),
        )
    else:
        target = (_set(leg, "TRANSFER_CONTEXT", context), _set(leg, "TRANSFER_EXTEN", exten))
        begin = (*target, *_keys(leg, BEGIN))
    return Plan(call.pbx, (*release, *begin), _of(call))


def _by_keys(view: View, context: str, exten: str) -> tuple[str, str]:
    """Return a (context, extension) that Atxfer can dial, which means digits.

    Raises:
        CommandError: the target has no numeric extension.
    """
    line = next((one for one in view.rules.lines if one.id == exten), None)
    if context == "hotline-queue" and line is not None:
        context = "hotline-transfer"
        exten = next((name for name in (line.id, *line.numbers) if DIGITS.fullmatch(name)), exten)
    if not DIGITS.fullmatch(exten):
        raise impossible("consult_digits_only", exten=exten, version=TAKES_TARGET)
    return context, exten


def consulting(view: View, config: AgentConfig, command: c.CallCommand, keys: str) -> Plan:
    """Play a feature code of the consultation in progress."""
    call, leg = own_leg(view, config.id, command.call_id)
    if not consults(call, leg):
        raise impossible("consulting_nobody", agent=config.id)
    return Plan(call.pbx, _keys(leg, keys), _of(call))


def cancel(view: View, config: AgentConfig, command: c.CancelTransfer) -> Plan:
    """End the consultation in progress and return to the waiting party."""

    def settled(later: View) -> bool:
        return not any(
            consults(call, leg) for call, leg in later.legs(config.id) if leg.uniqueid == own.uniqueid
        )

    _, own = own_leg(view, config.id, command.call_id)
    return structs.replace(consulting(view, config, command, CANCEL), settled=settled)


def conference(view: View, actor: Actor, config: AgentConfig, command: c.Conference, command_id: str) -> Plan:
    """Call `to` into the conversation, or turn the consultation into a three-way conference."""
    call, leg = own_leg(view, config.id, command.call_id)
    if command.to is None:
        return consulting(view, config, command, THREE_WAY)
    if consults(call, leg):
        raise impossible("consulting_join")
    if leg.held:
        raise impossible("held")
    if not peers(view, leg):
        raise impossible("nobody_to_join")
    context, exten = where_to(view, actor, config, command.to)
    line = call.line or next(iter(config.lines), "")
    step = Ami(
        "Originate",
        {
            "Channel": f"Local/{exten}@{context}",
            "ChannelId": f"cmd-{command_id}",
            "Context": "hotline-command",
            "Exten": "conference",
            "Priority": "1",
            "CallerID": f"<{config.id}>",
            "Timeout": "45000",
            "Async": "true",
            "Variable": [f"HOTLINE_TARGET={leg.uniqueid}", *([f"__HOTLINE_LINE={line}"] if line else [])],
        },
    )
    return Plan(call.pbx, (step,), _of(call))


def pick_up(view: View, actor: Actor, config: AgentConfig, command: c.PickUp) -> Plan:
    """Withdraw the caller from the queue (not counted as abandoned) and ring the agent."""
    for queue in view.queues.values():
        entry = next((one for one in queue.waiting if one.call_id == command.call_id), None)
        if entry is None:
            continue
        if queue.pbx != config.pbx:
            raise impossible(
                "call_on_other_pbx", call=command.call_id, pbx=queue.pbx, agent=config.id, own=config.pbx
            )
        if queue.line not in config.lines and not actor.supervises:
            raise forbidden("queue_not_served", agent=config.id, queue=queue.line or queue.name)
        idle(view, config)
        call = view.calls.get(command.call_id)
        leg = next((leg for leg in call.legs if leg.uniqueid == entry.uniqueid), None) if call else None
        if leg is None:
            break
        headers = {"Queue": queue.name, "Caller": leg.channel, "WithdrawInfo": config.id}
        return Plan(queue.pbx, (Ami("QueueWithdrawCaller", headers),), {"call_id": command.call_id})
    raise impossible("call_not_waiting", call=command.call_id)


def _of(call: Call) -> dict[str, str]:
    return {"call_id": call.id}


def _set(leg: Leg, variable: str, value: str) -> Ami:
    return Ami("Setvar", {"Channel": leg.uniqueid, "Variable": variable, "Value": value})


def _held(leg: Leg, held: bool) -> Ami:
    return _set(leg, "HOTLINE_HELD", "1" if held else "0")


def _muted(leg: Leg, muted: bool) -> Ami:
    return _set(leg, "HOTLINE_MUTED", "1" if muted else "0")


def _volume(leg: Leg, direction: str, on: bool) -> Ami:
    # Not MuteAudio: it stops the frames altogether, and with them the music; a carrier may drop such a call.
    return _set(leg, f"VOLUME({direction})", "1" if on else SILENT)


def _music(other: Leg) -> str:
    return f"hold-{other.uniqueid}"


def _release(view: View, leg: Leg) -> tuple[Ami, ...]:
    music = [
        Ami("Hangup", {"Channel": _music(other), "Cause": "16"}, tolerates=GONE) for other in peers(view, leg)
    ]
    heard = (_muted(leg, False),) if leg.muted else ()
    return (*music, _volume(leg, "RX", True), _volume(leg, "TX", True), *heard, _held(leg, False))


def _keys(leg: Leg, keys: str) -> tuple[Ami, ...]:
    return tuple(Ami("PlayDTMF", {"Channel": leg.uniqueid, "Digit": key, "Receive": "true"}) for key in keys)
