"""What is counted, and the rates made of the counts. Counts are whole numbers and are only ever added up."""

from collections.abc import Mapping
from enum import StrEnum

from msgspec import Struct

Counts = Mapping[str, int]
"""Of each name of `COUNTS`; what is not there is 0. Names ending in `_ms` are milliseconds."""


class Kind(StrEnum):
    """What is counted."""

    ENTRY = "entry"
    """A caller's wait in a queue (`QueueEntry`); behind it stands its call."""
    CALL = "call"
    ORDER = "order"


COUNTS: Mapping[str, Kind] = {
    "offered": Kind.ENTRY,
    "due": Kind.ENTRY,
    "answered": Kind.ENTRY,
    "answered_in_time": Kind.ENTRY,
    "abandoned": Kind.ENTRY,
    "short_abandoned": Kind.ENTRY,
    "lost": Kind.ENTRY,
    "waited_ms": Kind.ENTRY,
    "calls": Kind.CALL,
    "talks": Kind.CALL,
    "talk_ms": Kind.CALL,
    "numbered": Kind.CALL,
    "repeated": Kind.CALL,
    "concluded": Kind.ORDER,
    "direct": Kind.ORDER,
    "handed": Kind.ORDER,
    "closed": Kind.ORDER,
    "deadlines": Kind.ORDER,
    "closed_in_time": Kind.ORDER,
    "returned": Kind.ORDER,
    "rated": Kind.ORDER,
    "satisfied": Kind.ORDER,
    "asked": Kind.ORDER,
    "resolved": Kind.ORDER,
}
"""Each count, and of what it is."""


class Dimension(StrEnum):
    """By what figures can be told apart, beside the line and the time."""

    AGENT = "agent"
    UNIT = "unit"
    PLACE = "place"
    CATEGORY = "category"
    SOURCE = "source"


OF_THE_ORDER = (Dimension.UNIT, Dimension.PLACE, Dimension.CATEGORY)
"""Known of a call only by its order: waits in queues are not told apart by these."""


class Rate(Struct, frozen=True):
    """One figure: `part` divided by `whole`."""

    name: str
    part: str
    whole: str
    seconds: bool = False
    """An average in seconds; else a share, 0..1."""

    def of(self, counts: Counts) -> float | None:
        """The figure; `None` if there is nothing to divide by."""
        whole = counts.get(self.whole, 0)
        if not whole:
            return None
        return counts.get(self.part, 0) / whole / (1000 if self.seconds else 1)


RATES = (
    Rate("connection_rate", "answered", "due"),
    Rate("service_level", "answered_in_time", "due"),
    Rate("average_wait_s", "waited_ms", "answered", seconds=True),
    Rate("average_talk_s", "talk_ms", "talks", seconds=True),
    Rate("direct_rate", "direct", "concluded"),
    Rate("closure_rate", "closed", "handed"),
    Rate("on_time_rate", "closed_in_time", "deadlines"),
    Rate("satisfaction_rate", "satisfied", "rated"),
    Rate("resolution_rate", "resolved", "asked"),
    Rate("repeat_rate", "repeated", "numbered"),
    Rate("return_rate", "returned", "handed"),
)
SHOWN_COUNTS = (
    "offered", "answered", "abandoned", "calls", "repeated", "direct", "handed", "closed", "returned",
)  # fmt: skip
"""The counts that reports show beside the rates."""


class Item(Struct, frozen=True):
    """One queue entry, call or order, and what it counts for. Texts are untrusted input."""

    kind: Kind
    subject: str
    """Id of the call or order."""
    at: float
    """Where it counts: when the caller joined the queue, the call began, the order was begun."""
    line: str
    counts: Counts
    part: str = ""
    """Which entry of the call."""
    agent: str = ""
    unit: str = ""
    place: str = ""
    category: str = ""
    source: str = ""
    recount_at: float | None = None
    """From then on it counts differently, though nothing more may be told of it."""


class Selection(Struct, frozen=True):
    """The queue entries, calls or orders that make up one figure of a report."""

    count: str
    """One of `COUNTS`."""
    line: str | None = None
    dimensions: Mapping[Dimension, str] = {}
    """Empty text: those of which it is not known."""
