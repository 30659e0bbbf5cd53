"""The replay itself: messages through the very fold of the live gateway."""

import json
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain

import msgspec

from gateway.calls.floor import AgentProfile
from gateway.calls.resync import resync
from gateway.calls.tracker import CallTracker
from gateway.models.facts import AnyFact
from gateway.models.line import Line
from gateway.pbx.events import FullyBooted, Shutdown
from gateway.pbx.normalise import normalise
from gateway.pbx.snapshot import PbxSnapshot
from gateway.replay.capture import Counts, is_tcpdump, messages, payloads

_PEEK = 200
"""Lines looked at to tell what a file is."""


class ReplayError(Exception):
    """The file cannot be replayed; the text names the cause and the mend."""


def facts_of(
    lines: Iterable[str],
    pbx: str,
    configured: Sequence[Line],
    profiles: Iterable[AgentProfile],
    counts: Counts,
) -> Iterator[AnyFact]:
    """The facts of a file: an AMI log in any of its dresses, or our journal as JSON lines.

    Raises:
        ReplayError: a line of the journal that is no fact, or a file in which nothing of the kind is found.
    """
    source = iter(lines)
    first: list[str] = []
    for line in source:
        first.append(line)
        if len(first) >= _PEEK:
            break
    whole = chain(first, source)
    begun = next((line for line in first if line.strip()), "").lstrip("\ufeff")
    if begun.startswith("{"):
        yield from _journal(whole, counts)
    elif any(is_tcpdump(line) for line in first):
        yield from _folded(payloads(whole), pbx, configured, profiles, counts)
    else:
        yield from _folded(whole, pbx, configured, profiles, counts)
    if not counts.events:
        raise ReplayError(
            f"no event found ({counts.messages} messages, {counts.passed_over} other lines): give an AMI log"
            " (telnet, nc, tcpdump -A of port 5038) or the journal as JSON lines"
        )


def _journal(lines: Iterable[str], counts: Counts) -> Iterator[AnyFact]:
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        counts.messages += 1
        try:
            data = json.loads(line.lstrip("\ufeff"))
            # A row of the table, exported with its columns, holds the fact in `data`.
            inner = data.get("data", data)
            fact: AnyFact = msgspec.convert(json.loads(inner) if isinstance(inner, str) else inner, AnyFact)
        except (ValueError, AttributeError, msgspec.ValidationError) as error:
            raise ReplayError(
                f"line {number} is no fact of the journal ({error}): export it with one JSON object a line,"
                " each with its `kind`, and replay it with the version that wrote it or a newer one"
            ) from None
        counts.events += 1
        yield fact


def _folded(
    lines: Iterable[str],
    pbx: str,
    configured: Sequence[Line],
    profiles: Iterable[AgentProfile],
    counts: Counts,
) -> Iterator[AnyFact]:
    tracker = CallTracker(pbx, configured, profiles)
    last = 0.0
    down = False
    for headers in messages(lines, counts):
        if "Event" not in headers or "EventList" in headers:
            continue
        event = normalise(headers, pbx, last)
        if event is None:
            continue
        counts.events += 1
        last = event.at
        if isinstance(event, Shutdown):
            down = True
        elif isinstance(event, FullyBooted):
            if down or event.uptime_s == 0:
                # The PBX began anew: what was going on is no more.
                yield from resync(tracker, PbxSnapshot(pbx=pbx, at=last), [])
            down = False
        else:
            yield from tracker.apply(event)
