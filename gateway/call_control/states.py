"""Commands about an agent's own state: queue membership, pause, wrap-up."""

from domain import commands as c
from domain.queues import reserved_reason
from gateway.call_control.view import AgentConfig, Ami, Plan, View, WrapUp, impossible


def join(config: AgentConfig, queue: str, penalty: int, **more: str) -> Ami:
    """Add the agent's phone (`config.phone`) to the queue; `more` are further headers."""
    headers = {
        "Queue": queue,
        "Interface": config.phone,
        "Penalty": str(penalty),
        "MemberName": config.id,
        "StateInterface": config.phone,
    }
    return Ami("QueueAdd", {**headers, **more}, tolerates=("Already there",))


def leave(queue: str, phone: str) -> Ami:
    """Remove that phone from the queue."""
    return Ami("QueueRemove", {"Queue": queue, "Interface": phone}, tolerates=("Not there",))


def log_in(view: View, config: AgentConfig, command: c.LogIn) -> Plan:
    """Join the queues of the agent's lines, except those already joined."""
    strangers = sorted(set(command.lines) - set(config.lines))
    if strangers:
        raise impossible("lines_not_served", agent=config.id, lines=", ".join(strangers))
    wanted = [line for line in view.rules.lines if line.id in (command.lines or config.lines)]
    if not wanted:
        raise impossible("lines_none", agent=config.id)
    member_of = _queues(view, config)
    steps = tuple(
        join(config, line.queue, config.lines[line.id]) for line in wanted if line.queue not in member_of
    )
    return Plan(config.pbx, steps, {"queues": [line.queue for line in wanted]})


def log_out(view: View, config: AgentConfig, _: c.LogOut | c.ForceLogOut) -> Plan:
    """Leave every queue; a conversation in progress continues."""
    if config.phones and not view.rules.desk_login:
        raise impossible("agents_static")
    queues = _queues(view, config)
    steps = tuple(leave(queue, phone) for queue in queues for phone in _phones(view, config))
    return Plan(config.pbx, steps, {"queues": list(queues)})


def pause(view: View, config: AgentConfig, command: c.Pause | c.ForcePause) -> Plan:
    """Pause the agent in all queues."""
    if reserved_reason(command.reason):
        raise impossible("pause_reason_reserved", reason=command.reason)
    reasons = view.rules.pause_reasons
    if reasons and command.reason not in reasons:
        raise impossible("pause_reason", reason=command.reason, reasons=", ".join(reasons))
    return _paused(view, config, command.reason)


def unpause(view: View, config: AgentConfig, _: c.Unpause) -> Plan:
    """Unpause the agent in all queues."""
    return _paused(view, config, None)


def wrap_up_done(_: View, config: AgentConfig, __: c.WrapUpDone) -> Plan:
    """End wrap-up now."""
    return Plan(config.pbx, (WrapUp(config.id),))


def wrap_up_extend(_: View, config: AgentConfig, command: c.WrapUpExtend) -> Plan:
    """Extend wrap-up."""
    return Plan(config.pbx, (WrapUp(config.id, command.seconds),))


def _queues(view: View, config: AgentConfig) -> tuple[str, ...]:
    status = view.agents.get(config.id)
    return status.queues if status else ()


def _phones(view: View, config: AgentConfig) -> tuple[str, ...]:
    status = view.agents.get(config.id)
    return (status.phones if status else ()) or (config.phone,)


def _paused(view: View, config: AgentConfig, reason: str | None) -> Plan:
    if not _queues(view, config):
        raise impossible("not_logged_in", agent=config.id)
    headers = {"Paused": "false"} if reason is None else {"Paused": "true", "Reason": reason}
    steps = tuple(Ami("QueuePause", {"Interface": phone, **headers}) for phone in _phones(view, config))
    return Plan(config.pbx, steps, {"reason": reason} if reason is not None else {})
