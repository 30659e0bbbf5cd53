"""Who gives up in the parking lot, whatever else happens at that moment."""

from msgspec import structs

from domain.calls import EndReason
from domain.facts import CallEnded
from domain.pbx import events as e
from tests.support.captures import tracker
from tests.support.damage import stream_of
from tests.support.scenes import played


def test_the_agents_phone_hangs_up_only_after_the_parked_caller_gave_up() -> None:
    """A phone hangs up when it hears of its transfer: on a busy machine that may be late."""
    stream = list(stream_of("abandoned-parked"))
    (over,) = [at for at, event in enumerate(stream) if isinstance(event, e.ParkedCallOver)]
    caller = stream[over].uniqueid  # type: ignore[union-attr]
    late = [event for event in stream[:over] if isinstance(event, e.Hangup) and event.uniqueid != caller]
    assert late, "the agent's phone"
    rest = [event for event in stream if event not in late]
    at = rest.index(stream[over]) + 1
    moved = [structs.replace(event, at=stream[over].at) for event in late]
    facts = played(tracker(), [*rest[:at], *moved, *rest[at:]])
    (ended,) = [fact.call for fact in facts if isinstance(fact, CallEnded)]
    assert ended.end_reason is EndReason.ABANDONED_PARKED
