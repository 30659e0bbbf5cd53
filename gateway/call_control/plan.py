"""Turns a command into a plan: checks who may do it, and for whom, and chooses the steps. Pure."""

from domain import commands as c
from gateway.call_control import calling, phone_choice, states, supervising
from gateway.call_control.view import Actor, AgentConfig, Plan, View, forbidden, impossible


def plan(view: View, actor: Actor, command: c.AnyCommand, command_id: str) -> Plan:
    """Plan `command` on the state in `view`. `command_id` is a lower-case UUID.

    Raises:
        CommandError: `forbidden` or `not_possible`, with the reason.
    """
    if type(command) in c.SUPERVISORS_ONLY and not actor.supervises:
        raise forbidden("not_supervisor")
    config = _config(view, actor, command.agent)
    match command:
        case c.LogIn():
            return states.log_in(view, config, command)
        case c.LogOut() | c.ForceLogOut():
            return states.log_out(view, config, command)
        case c.Pause() | c.ForcePause():
            return states.pause(view, config, command)
        case c.Unpause():
            return states.unpause(view, config, command)
        case c.WrapUpDone():
            return states.wrap_up_done(view, config, command)
        case c.WrapUpExtend():
            return states.wrap_up_extend(view, config, command)
        case c.UsePhone():
            return phone_choice.use_phone(view, config, command)
        case c.Listen() | c.Whisper() | c.Barge():
            return supervising.supervise(view, config, command, command_id)
        case c.StopListening():
            return supervising.stop_listening(view, config, command)
        case c.TakeOver():
            return supervising.take_over(view, config, command, command_id)
        case _:
            return _call_plan(view, actor, config, command, command_id)


def _call_plan(view: View, actor: Actor, config: AgentConfig, command: c.Command, command_id: str) -> Plan:
    match command:
        case c.Originate():
            return calling.originate(view, actor, config, command, command_id)
        case c.Answer():
            return calling.answer(view, config, command)
        case c.HangUp():
            return calling.hang_up(view, config, command)
        case c.Hold():
            return calling.hold(view, config, command)
        case c.Resume():
            return calling.resume(view, config, command)
        case c.Mute() | c.Unmute():
            return calling.mute(view, config, command)
        case c.Transfer():
            return calling.transfer(view, actor, config, command)
        case c.Consult():
            return calling.consult(view, actor, config, command)
        case c.CompleteTransfer():
            return calling.consulting(view, config, command, calling.COMPLETE)
        case c.CancelTransfer():
            return calling.cancel(view, config, command)
        case c.Swap():
            return calling.consulting(view, config, command, calling.SWAP)
        case c.Conference():
            return calling.conference(view, actor, config, command, command_id)
        case c.PickUp():
            return calling.pick_up(view, actor, config, command)
        case _:
            raise impossible("unplanned", command=type(command).__name__)


def _config(view: View, actor: Actor, named: str | None) -> AgentConfig:
    agent = named or actor.agent
    if agent is None:
        raise impossible("account_without_agent")
    if agent != actor.agent and not actor.supervises:
        raise forbidden("not_own")
    config = view.agent_config(agent)
    if config is None:
        raise impossible("agent_unknown", agent=agent)
    return config
