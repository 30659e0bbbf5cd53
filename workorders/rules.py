"""What the configuration says of orders: forms and submission by line, and who receives them. Pure."""

from collections.abc import Mapping

from msgspec import Struct

from domain.outcomes import OUTCOMES, OutcomeKind, Sends
from workorders.delivery.links import DocumentLinks

GENERAL_FORM = "general"


class LineRules(Struct, frozen=True):
    """What one line wants of its orders."""

    id: str
    form: str = GENERAL_FORM
    submit_on_hangup: bool = True
    """Otherwise the agent submits the order."""
    send_after_s: float = 0.0
    """An order waits so long, from the end of wrap-up or the agent's choice, before it leaves. 0: it leaves
    at once, at the hang-up where `submit_on_hangup`."""


class OrderRules(Struct, frozen=True):
    """What the configuration says of orders."""

    lines: tuple[LineRules, ...] = ()
    """The first is that of calls of no line."""
    endpoints: Mapping[str, tuple[str, ...]] = {}
    """Id of a work-order system → the lines whose orders it receives; empty: all."""
    related_days: float = 30.0
    """Earlier orders are offered for so many days."""
    ask_every_s: float = 5.0
    """The language model is asked about one call at most so often."""
    ask_wait_s: float = 5.0
    """After the call, an answer of the language model is waited for so long."""
    links: DocumentLinks | None = None
    """What makes the links in documents by which a system fetches recordings; `None`: there are none."""
    outcomes: tuple[OutcomeKind, ...] = OUTCOMES
    """What agents can choose from, in order of the keys."""

    def line(self, line_id: str | None) -> LineRules:
        """The rules of that line; the usual ones for a line that is not configured."""
        return next((line for line in self.lines if line.id == line_id), LineRules(line_id or "default"))

    def line_of(self, line_id: str | None) -> str:
        """The line that the order of a call on `line_id` belongs to."""
        return line_id or (self.lines[0].id if self.lines else "default")

    def outcome(self, kind: str) -> OutcomeKind:
        """The outcome of that id; of one that is not configured any more, what its orders were sent as."""
        gone = OutcomeKind(kind, kind, kind, Sends.ORDER)
        return next((one for one in self.outcomes if one.id == kind), gone)

    def endpoints_of(self, line_id: str) -> list[str]:
        """The work-order systems that receive the orders of that line."""
        return [name for name, lines in self.endpoints.items() if not lines or line_id in lines]
