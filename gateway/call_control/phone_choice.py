"""Which of an agent's two phones is in use: the choice, and the queue memberships that follow. Pure."""

from msgspec import structs

from agents.state_machine import wrap_up_reason
from domain import commands as c
from domain.phones import BROWSER_CHOSEN, DESK_CHOSEN, PhoneKind, choice_device
from domain.queues import AgentStatus
from gateway.call_control.states import join, leave
from gateway.call_control.view import BUSY, AgentConfig, Ami, Plan, Step, View, impossible


def use_phone(view: View, config: AgentConfig, command: c.UsePhone) -> Plan:
    """Make calls ring at that phone. Refused during a call, which would be cut off or keep ringing unseen."""
    phone = (config.phones or {PhoneKind.DESK: config.phone}).get(command.phone)
    if phone is None:
        raise impossible("phone_none", agent=config.id, phone=str(command.phone))
    result = {"phone": str(command.phone)}
    if phone == config.phone:
        return Plan(config.pbx, follow(view, config), result)
    if view.state(config.id) in BUSY or next(view.legs(config.id), None) is not None:
        raise impossible("on_call", agent=config.id)
    state = DESK_CHOSEN if command.phone is PhoneKind.DESK else BROWSER_CHOSEN
    choice = Ami("Setvar", {"Variable": f"DEVICE_STATE({choice_device(config.id)})", "Value": state})
    return Plan(config.pbx, (choice, *follow(view, structs.replace(config, phone=phone))), result)


def follow(view: View, config: AgentConfig) -> tuple[Step, ...]:
    """Return the steps that move the agent's memberships, and their pause, to `config.phone`.

    None are needed if they are already there. The new phone joins before the other leaves, so that the agent
    may be a member twice for a moment but is never missing from a queue.
    """
    if not config.phones:
        return ()
    status = view.agents.get(config.id)
    present = status.queues if status else ()
    others = [phone for phone in (status.phones if status else ()) if _other(config, phone)]
    penalties = {line.queue: config.lines[line.id] for line in view.rules.lines if line.id in config.lines}
    joined, left = (present if others else ()), tuple[str, ...]()
    if not view.rules.desk_login:
        joined = tuple(queue for queue in penalties if others or queue not in present)
        ours = {line.queue for line in view.rules.lines}
        left = tuple(queue for queue in present if queue in ours and queue not in penalties)
    reason = _pause_reason(status) if joined else ""
    paused = "true" if reason else "false"
    steps: list[Step] = [join(config, queue, penalties.get(queue, 0), Paused=paused) for queue in joined]
    if reason:
        # QueueAdd of older versions does not take a reason.
        steps.append(Ami("QueuePause", {"Interface": config.phone, "Paused": "true", "Reason": reason}))
    steps += [leave(queue, phone) for queue in present for phone in others]
    return (*steps, *(leave(queue, config.phone) for queue in left))


def _other(config: AgentConfig, phone: str) -> bool:
    # A third phone, added to a queue by hand, is left alone.
    return phone != config.phone and phone in config.phones.values()


def _pause_reason(status: AgentStatus | None) -> str:
    if status is None:
        return ""
    return status.reason or (wrap_up_reason(status.wrap_up_until) if status.wrap_up_until else "")
