"""AMI logs of call scenarios, taken from a real Asterisk 22 by the integration tests (HOTLINE_CAPTURE=1)."""

from functools import cache
from pathlib import Path

from domain.lines import Line
from domain.pbx.events import AnyPbxEvent
from domain.phones import AgentProfile
from gateway.asterisk.normalise import normalise
from gateway.calls.tracker import CallTracker

FOLDER = Path(__file__).resolve().parents[1] / "data" / "ami"
NAMES = tuple(sorted(path.stem for path in FOLDER.glob("*.txt")))

LINES = (
    Line(id="12345", name="12345", numbers=("12345",), queue="q12345", digit="0"),
    Line(id="yiqilai", name="一企来", numbers=("12346",), queue="yiqilai", digit="1"),
    Line(id="shangxian", name="尚贤人才", numbers=("12347",), queue="shangxian", digit="2"),
)
AGENTS = tuple(AgentProfile(one, one, f"PJSIP/{one}") for one in ("1001", "1002", "1003"))


@cache
def events(name: str) -> tuple[AnyPbxEvent, ...]:
    """The typed events of one capture."""
    found = []
    for block in (FOLDER / f"{name}.txt").read_bytes().decode().split("\r\n\r\n"):
        headers: dict[str, str] = {}
        for line in block.split("\r\n"):
            key, mark, value = line.partition(": ")
            if mark:
                headers[key] = f"{headers[key]}\n{value}" if key in headers else value
        event = normalise(headers, "main", 0.0)
        if event is not None:
            found.append(event)
    return tuple(found)


def tracker() -> CallTracker:
    """A tracker that has seen nothing."""
    return CallTracker("main", LINES, AGENTS)
