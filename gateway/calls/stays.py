"""Stays in queues, folded from the lines of `queue_log`. Pure."""

from collections.abc import Callable, Iterable
from typing import NamedTuple

from domain.pbx.records import QueueLogLine
from domain.queues import QueueOutcome
from gateway.asterisk.queue_log import caller_of, seconds

OUTCOMES = {
    "ABANDON": QueueOutcome.ABANDONED,
    "EXITWITHTIMEOUT": QueueOutcome.TIMEOUT,
    "EXITEMPTY": QueueOutcome.EMPTY,
    "EXITWITHKEY": QueueOutcome.LEFT,
    "WITHDRAW": QueueOutcome.WITHDRAWN,
}
"""How a wait ends that no agent answers: event → outcome, with the seconds waited as the third field."""
COMPLETED = frozenset({"COMPLETECALLER", "COMPLETEAGENT"})
TRANSFERRED = frozenset({"BLINDTRANSFER", "ATTENDEDTRANSFER", "TRANSFER"})
ABOUT_A_STAY = COMPLETED | TRANSFERRED | OUTCOMES.keys() | {"CONNECT", "RINGNOANSWER"}


class Stay(NamedTuple):
    """A stay in a queue as the log tells it, before it is known whose it is."""

    queue: str
    entered_at: float
    caller: str
    missed: int = 0
    left_at: float | None = None
    waited: float | None = None
    outcome: QueueOutcome | None = None
    agent: str | None = None
    ended_at: float | None = None
    """When the conversation that followed ended."""
    talked: float | None = None
    transferred: bool = False


def by_caller(lines: Iterable[QueueLogLine]) -> dict[str, tuple[QueueLogLine, ...]]:
    """Group the lines by the caller's unique id.

    The end of a conversation may be logged for another channel than the caller's, as after an attended
    transfer for the consultation's: it is put with the conversation of that agent in that queue.
    """
    found: dict[str, list[QueueLogLine]] = {}
    talking: dict[tuple[str, str], str] = {}
    for line in lines:
        who = line.queue, line.agent
        uniqueid = line.uniqueid
        if line.event == "CONNECT":
            talking[who] = uniqueid
        elif line.event in COMPLETED or line.event in TRANSFERRED:
            caller = talking.get(who)
            if caller is not None and (caller == uniqueid or uniqueid not in found):
                uniqueid = talking.pop(who)
        found.setdefault(uniqueid, []).append(line)
    return {uniqueid: tuple(own) for uniqueid, own in found.items()}


def stays_of(lines: Iterable[QueueLogLine], agent_of: Callable[[str], str | None]) -> list[Stay]:
    """Fold one caller's lines, in the order they were written; lines of unknown events change nothing."""
    stays: list[Stay] = []
    for line in lines:
        if line.event == "ENTERQUEUE":
            stays.append(Stay(line.queue, line.at, caller_of(line)))
            continue
        if line.event not in ABOUT_A_STAY:
            continue  # DID comes before ENTERQUEUE
        if not stays or stays[-1].queue != line.queue:
            # The log begins in the middle: the wait began before it.
            waited = seconds(line, 0 if line.event == "CONNECT" or line.event in COMPLETED else 2) or 0.0
            stays.append(Stay(line.queue, line.at - waited, ""))
        stays[-1] = _after(stays[-1], line, agent_of)
    return stays


def _after(stay: Stay, line: QueueLogLine, agent_of: Callable[[str], str | None]) -> Stay:
    waits = stay.outcome is None
    if line.event == "RINGNOANSWER" and waits:
        return stay._replace(missed=stay.missed + 1)
    if line.event == "CONNECT" and waits:
        waited = seconds(line, 0)
        return stay._replace(
            left_at=line.at, outcome=QueueOutcome.ANSWERED, agent=agent_of(line.agent),
            waited=line.at - stay.entered_at if waited is None else waited,
        )  # fmt: skip
    if line.event in OUTCOMES and waits:
        waited = seconds(line, 2)
        return stay._replace(
            left_at=line.at, outcome=OUTCOMES[line.event],
            waited=line.at - stay.entered_at if waited is None else waited,
        )  # fmt: skip
    if line.event in COMPLETED or line.event in TRANSFERRED:
        # A transfer says first where to: in two fields, or three where it linked two bridges.
        linked = line.data[:1] == ("LINK",)
        talked = seconds(line, 1 if line.event in COMPLETED else 4 if linked else 3)
        begun = line.at - (talked or 0.0)
        if waits:
            stay = stay._replace(left_at=begun, outcome=QueueOutcome.ANSWERED, agent=agent_of(line.agent))
        return stay._replace(ended_at=line.at, talked=talked, transferred=line.event in TRANSFERRED)
    return stay
