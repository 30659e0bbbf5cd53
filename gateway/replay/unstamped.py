"""When things happened, in a capture without any time of its own. Pure.

The PBX does not say when (`timestampevents` is off) and the capture has no packets' times. What is left are
unique ids, which begin with the second in which a channel was created, and the spans that app_queue counts.
"""

from gateway.asterisk.normalise import number
from gateway.replay.begun import channels, epoch
from gateway.replay.capture import Headers

FIRST = 1e8
"""No PBX is older: 1973."""


class UnstampedClock:
    """Goes on to the latest second that an event proves, POSIX seconds; 0.0 where nothing tells."""

    def __init__(self) -> None:
        self._now = 0.0
        self._since: dict[tuple[str, str], float] = {}
        """When somebody joined, was called, or was connected."""

    def at(self, headers: Headers) -> float:
        """The earliest moment at which the event can have happened."""
        name, who = headers.get("Event", ""), headers.get("Uniqueid", "")
        moments = [self._now, *(epoch(uniqueid) or 0.0 for _, uniqueid in channels(headers))]
        begun = self._since.get
        if name in ("AgentConnect", "QueueCallerAbandon"):
            moments.append(begun((who, "QueueCallerJoin"), 0.0) + number(headers, "HoldTime"))
        elif name == "AgentComplete":
            moments.append(begun((who, "AgentConnect"), 0.0) + number(headers, "TalkTime"))
        elif name == "AgentRingNoAnswer":
            moments.append(begun((who, "AgentCalled"), 0.0) + number(headers, "RingTime") / 1000.0)
        # A span alone is no moment.
        self._now = max(moment for moment in moments if moment == self._now or moment >= FIRST)
        if name in ("QueueCallerJoin", "AgentCalled", "AgentConnect"):
            self._since[who, name] = self._now
        elif name == "Hangup":
            for one in ("QueueCallerJoin", "AgentCalled", "AgentConnect"):
                self._since.pop((who, one), None)
        return self._now
