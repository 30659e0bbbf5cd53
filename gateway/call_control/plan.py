"""From a command to a plan: who may, for whom, and which steps. Pure."""

from domain import commands as c
from gateway.call_control import calling, phone_choice, states, supervising
from gateway.call_control.view import Actor, Plan, Seat, View, forbidden, impossible


def plan(view: View, actor: Actor, command: c.AnyCommand, command_id: str) -> Plan:
    """What doing `command` takes, as things stand in `view`. `command_id`: a UUID of `[0-9a-f-]`.

    Raises:
        CommandError: `forbidden` or `not_possible`, with the reason.
    """
    if type(command) in c.SUPERVISORS_ONLY and not actor.supervises:
        raise forbidden("not_supervisor")
    seat = _seat(view, actor, command.agent)
    match command:
        case c.LogIn():
            return states.log_in(view, seat, command)
        case c.LogOut() | c.ForceLogOut():
            return states.log_out(view, seat, command)
        case c.Pause() | c.ForcePause():
            return states.pause(view, seat, command)
        case c.Unpause():
            return states.unpause(view, seat, command)
        case c.WrapUpDone():
            return states.wrap_up_done(view, seat, command)
        case c.WrapUpExtend():
            return states.wrap_up_extend(view, seat, command)
        case c.UsePhone():
            return phone_choice.use_phone(view, seat, command)
        case c.Listen() | c.Whisper() | c.Barge():
            return supervising.supervise(view, seat, command, command_id)
        case c.StopListening():
            return supervising.stop_listening(view, seat, command)
        case c.TakeOver():
            return supervising.take_over(view, seat, command, command_id)
        case _:
            return _call_plan(view, actor, seat, command, command_id)


def _call_plan(view: View, actor: Actor, seat: Seat, command: c.Command, command_id: str) -> Plan:
    match command:
        case c.Originate():
            return calling.originate(view, actor, seat, command, command_id)
        case c.Answer():
            return calling.answer(view, seat, command)
        case c.HangUp():
            return calling.hang_up(view, seat, command)
        case c.Hold():
            return calling.hold(view, seat, command)
        case c.Resume():
            return calling.resume(view, seat, command)
        case c.Mute() | c.Unmute():
            return calling.mute(view, seat, command)
        case c.Transfer():
            return calling.transfer(view, actor, seat, command)
        case c.Consult():
            return calling.consult(view, actor, seat, command)
        case c.CompleteTransfer():
            return calling.consulting(view, seat, command, calling.COMPLETE)
        case c.CancelTransfer():
            return calling.cancel(view, seat, command)
        case c.Swap():
            return calling.consulting(view, seat, command, calling.SWAP)
        case c.Conference():
            return calling.conference(view, actor, seat, command, command_id)
        case c.PickUp():
            return calling.pick_up(view, actor, seat, command)
        case _:
            raise impossible("unplanned", command=type(command).__name__)


def _seat(view: View, actor: Actor, named: str | None) -> Seat:
    agent = named or actor.agent
    if agent is None:
        raise impossible("account_without_agent")
    if agent != actor.agent and not actor.supervises:
        raise forbidden("not_own")
    seat = view.seat(agent)
    if seat is None:
        raise impossible("agent_unknown", agent=agent)
    return seat
