"""What was music on the line, from the journal of a call."""

import pytest
from msgspec import structs

from domain.calls import Call, CallState, Direction, Party
from domain.facts import AnyFact, CallHeld, CallStarted
from gateway.post_call import holds

BEGAN = 1_000.0
CALL = Call(
    id="t-1",
    pbx="t",
    linkedid="1",
    direction=Direction.INBOUND,
    state=CallState.TALKING,
    caller=Party("13912345678"),
    called="12345",
    started_at=BEGAN,
)
HELD = structs.replace(CALL, state=CallState.HELD)


def held(at: float, *, still: bool, held: bool = True) -> CallHeld:
    return CallHeld(at=BEGAN + at, call=HELD if still else CALL, held=held)


@pytest.mark.parametrize(
    ("facts", "found"),
    [
        ([], []),
        ([CallStarted(at=BEGAN, call=CALL)], []),
        ([held(5, still=True), held(9, still=False, held=False)], [(5, 9)]),
        # Both sides hold: it is over when the last takes the call back.
        (
            [
                held(5, still=True),
                held(6, still=True),
                held(7, still=True, held=False),
                held(9, still=False, held=False),
            ],
            [(5, 9)],
        ),
        ([held(5, still=False, held=False)], []),
        ([held(5, still=True)], [(5, 60)]),
    ],
)
def test_holds(facts: list[AnyFact], found: list[tuple[float, float]]) -> None:
    ended = structs.replace(CALL, ended_at=BEGAN + 60)
    assert holds(facts, ended) == found
