"""What a work-order system tells of an order: the steps of the closed loop (工单办理闭环, GB/T 33358)."""

from collections.abc import Iterable
from enum import StrEnum

from msgspec import Struct


class Step(StrEnum):
    """One step of an order's way through the work-order system."""

    ACCEPTED = "accepted"
    """受理."""
    DISPATCHED = "dispatched"
    """派单: to a unit."""
    SIGNED = "signed"
    """签收: the unit has it."""
    HANDLED = "handled"
    """办理: it is being worked on."""
    ANSWERED = "answered"
    """反馈: the unit says what it did."""
    CLOSED = "closed"
    """办结."""
    VISITED = "visited"
    """回访: the citizen was asked."""
    ARCHIVED = "archived"
    """归档."""
    RETURNED = "returned"
    """退单: the unit, or the centre, sends it back, with the reason."""
    EXTENDED = "extended"
    """延期: a later deadline."""
    REDONE = "redone"
    """重办: the unit has to deal with it again."""
    URGED = "urged"
    """催办."""
    SUPERVISED = "supervised"
    """督办."""
    CONSULTED = "consulted"
    """会商: several units deal with it together."""


STEP_NAMES: dict[Step, str] = {
    Step.ACCEPTED: "受理",
    Step.DISPATCHED: "派单",
    Step.SIGNED: "签收",
    Step.HANDLED: "办理",
    Step.ANSWERED: "反馈",
    Step.CLOSED: "办结",
    Step.VISITED: "回访",
    Step.ARCHIVED: "归档",
    Step.RETURNED: "退单",
    Step.EXTENDED: "延期",
    Step.REDONE: "重办",
    Step.URGED: "催办",
    Step.SUPERVISED: "督办",
    Step.CONSULTED: "会商",
}
"""As the national standard and work-order systems call them."""

OVER = frozenset({Step.CLOSED, Step.VISITED, Step.ARCHIVED})
"""After these a deadline is no longer of interest."""


class OrderStatus(Struct, frozen=True):
    """One thing that a work-order system told of an order. Texts are untrusted input; times POSIX seconds."""

    id: str
    """`<endpoint>/<the system's id of the message>`: told twice, it is one."""
    order_id: str
    endpoint: str
    step: Step
    at: float
    """When it happened, as the system says; else when it was told."""
    received_at: float
    unit: str = ""
    person: str = ""
    deadline: float | None = None
    text: str = ""
    """What was done, or why it comes back."""
    word: str = ""
    """The system's own word for the step, where it has another."""
    satisfied: bool | None = None
    """Whether the citizen was content with how it was dealt with (满意), where the system says."""
    resolved: bool | None = None
    """Whether the matter was resolved (解决), in the citizen's words, where the system says."""


class OrderDeadline(Struct, frozen=True):
    """Until when an order is to be dealt with."""

    order_id: str
    call_id: str
    line: str
    deadline: float
    """POSIX seconds."""


def as_happened(statuses: Iterable[OrderStatus]) -> list[OrderStatus]:
    """Return them in the order in which they happened, whenever they were told."""
    return sorted(statuses, key=lambda one: (one.at, one.received_at, one.id))


def deadline_after(status: OrderStatus, before: float | None) -> float | None:
    """Until when the order is to be dealt with after that status; `before`: until when it was.

    `None` once it has been dealt with. A status that names no deadline leaves the one before.
    """
    if status.step in OVER:
        return None
    return before if status.deadline is None else status.deadline
