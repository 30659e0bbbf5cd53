"""Folding alone: the corpus's events into calls and figures, against parsing the same bytes into events.

Both on one core, in turns, medians. It leaves out socket, journal, database and clients, which
`whole` has.
"""

import argparse
import time

from agents.figures.day import DayFigures
from benchmarks.harness import median, pin, report
from gateway.asterisk.normalise import normalise
from gateway.calls.tracker import CallTracker
from tests.support.captures import AGENTS, FOLDER, LINES, NAMES

BAR = 0.3
ROUNDS = 7


def blocks() -> list[list[dict[str, str]]]:
    """The headers of every capture's events."""
    found = []
    for name in NAMES:
        text = (FOLDER / f"{name}.txt").read_bytes().decode()
        split = [block.split("\r\n") for block in text.split("\r\n\r\n")]
        found.append([dict(line.split(": ", 1) for line in one if ": " in line) for one in split])
    return found


def main(arguments: list[str] | None = None) -> bool:
    """Print the ratio; whether it is met."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fold", description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    rounds: int = parser.parse_args(arguments).rounds
    pin(0)
    parsing, folding, count = [], [], 0
    for _ in range(rounds):
        began = time.process_time()
        typed = [
            [event for headers in one if (event := normalise(headers, "main", 0.0)) is not None]
            for one in blocks()
        ]
        parsing.append(time.process_time() - began)
        count = sum(map(len, typed))
        began = time.process_time()
        for stream in typed:
            tracker, figures = CallTracker("main", LINES, AGENTS), DayFigures(LINES)
            for event in stream:
                for fact in tracker.apply(event):
                    figures.apply(fact)
        folding.append(time.process_time() - began)
    ratio = median(parsing) / median(folding)
    figures_told = {
        "captures": len(NAMES),
        "events": count,
        "fold, microseconds an event": median(folding) / count * 1e6,
        "parse, microseconds an event": median(parsing) / count * 1e6,
        "the whole corpus folded, s": median(folding),
        "parse / fold": ratio,
    }
    return report("fold", f"≥ {BAR} × parsing the same bytes", ratio >= BAR, figures_told)


if __name__ == "__main__":
    raise SystemExit(0 if main() else 1)
