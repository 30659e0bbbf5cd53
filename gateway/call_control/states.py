"""Commands about an agent's own state: queues, pauses, wrap-up."""

from domain import commands as c
from gateway.call_control.view import Ami, Plan, Seat, View, WrapUp, impossible


def join(seat: Seat, queue: str, penalty: int, **more: str) -> Ami:
    """The agent becomes a member of the queue by `seat.phone`; `more`: further headers."""
    headers = {
        "Queue": queue,
        "Interface": seat.phone,
        "Penalty": str(penalty),
        "MemberName": seat.id,
        "StateInterface": seat.phone,
    }
    return Ami("QueueAdd", {**headers, **more}, tolerates=("Already there",))


def leave(queue: str, phone: str) -> Ami:
    """That phone is a member of the queue no more."""
    return Ami("QueueRemove", {"Queue": queue, "Interface": phone}, tolerates=("Not there",))


def log_in(view: View, seat: Seat, command: c.LogIn) -> Plan:
    """Member of the queues of the agent's lines; those already joined are left alone."""
    strangers = sorted(set(command.lines) - set(seat.lines))
    if strangers:
        raise impossible("lines_not_served", agent=seat.id, lines=", ".join(strangers))
    wanted = [line for line in view.rules.lines if line.id in (command.lines or seat.lines)]
    if not wanted:
        raise impossible("lines_none", agent=seat.id)
    member_of = _queues(view, seat)
    steps = tuple(
        join(seat, line.queue, seat.lines[line.id]) for line in wanted if line.queue not in member_of
    )
    return Plan(seat.pbx, steps, {"queues": [line.queue for line in wanted]})


def log_out(view: View, seat: Seat, _: c.LogOut | c.ForceLogOut) -> Plan:
    """Out of every queue; a conversation goes on."""
    if seat.phones and not view.rules.desk_login:
        raise impossible("agents_static")
    queues = _queues(view, seat)
    steps = tuple(leave(queue, phone) for queue in queues for phone in _phones(view, seat))
    return Plan(seat.pbx, steps, {"queues": list(queues)})


def pause(view: View, seat: Seat, command: c.Pause | c.ForcePause) -> Plan:
    """No calls from any queue."""
    reasons = view.rules.pause_reasons
    if reasons and command.reason not in reasons:
        raise impossible("pause_reason", reason=command.reason, reasons=", ".join(reasons))
    return _paused(view, seat, command.reason)


def unpause(view: View, seat: Seat, _: c.Unpause) -> Plan:
    """Calls from the queues again."""
    return _paused(view, seat, None)


def wrap_up_done(_: View, seat: Seat, __: c.WrapUpDone) -> Plan:
    """Wrap-up ends now."""
    return Plan(seat.pbx, (WrapUp(seat.id),))


def wrap_up_extend(_: View, seat: Seat, command: c.WrapUpExtend) -> Plan:
    """Wrap-up lasts longer."""
    return Plan(seat.pbx, (WrapUp(seat.id, command.seconds),))


def _queues(view: View, seat: Seat) -> tuple[str, ...]:
    status = view.agents.get(seat.id)
    return status.queues if status else ()


def _phones(view: View, seat: Seat) -> tuple[str, ...]:
    status = view.agents.get(seat.id)
    return (status.phones if status else ()) or (seat.phone,)


def _paused(view: View, seat: Seat, reason: str | None) -> Plan:
    if not _queues(view, seat):
        raise impossible("not_logged_in", agent=seat.id)
    headers = {"Paused": "false"} if reason is None else {"Paused": "true", "Reason": reason}
    steps = tuple(Ami("QueuePause", {"Interface": phone, **headers}) for phone in _phones(view, seat))
    return Plan(seat.pbx, steps, {"reason": reason} if reason is not None else {})
