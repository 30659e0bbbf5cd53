"""The replay itself: messages through the very fold of the live gateway."""

import json
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain

import msgspec

from domain.facts import AnyFact
from domain.lines import Line
from domain.pbx.events import FullyBooted, Shutdown
from domain.pbx.snapshot import PbxSnapshot
from domain.phones import AgentProfile
from gateway.asterisk.normalise import normalise
from gateway.calls.resync import resync
from gateway.calls.tracker import CallTracker
from gateway.replay import printed
from gateway.replay.capture import Counts, Headers, messages
from gateway.replay.packets import Segment, conversations

Timed = tuple[float | None, Headers]
_PEEK = 200
"""Lines looked at to tell what a file is."""


class ReplayError(Exception):
    """The file cannot be replayed; the text names the cause and the fix."""


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
    else:
        found: Iterable[Timed]
        if any(printed.is_followed(line) for line in first):
            found = conversations(printed.followed(whole), counts)
        elif any(printed.is_tcpdump(line) for line in first):
            found = conversations(printed.tcpdump(whole, counts), counts)
        else:
            found = ((None, headers) for headers in messages(whole, counts))
        yield from _folded(found, pbx, configured, profiles, counts)
    _require(counts)


def facts_of_packets(
    segments: Iterable[Segment],
    pbx: str,
    configured: Sequence[Line],
    profiles: Iterable[AgentProfile],
    counts: Counts,
) -> Iterator[AnyFact]:
    """The facts of captured packets.

    Raises:
        ReplayError: nothing of the kind is found.
    """
    yield from _folded(conversations(segments, counts), pbx, configured, profiles, counts)
    _require(counts)


def _require(counts: Counts) -> None:
    if not counts.events:
        raise ReplayError(
            f"no event found ({counts.messages} messages, {counts.passed_over} other lines): give an AMI log"
            " (telnet, nc), a capture of the AMI port without TLS (a pcap file, tcpdump -A or -X,"
            " tshark -z follow,tcp,ascii,N) or the journal as JSON lines"
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
    found: Iterable[Timed],
    pbx: str,
    configured: Sequence[Line],
    profiles: Iterable[AgentProfile],
    counts: Counts,
) -> Iterator[AnyFact]:
    tracker = CallTracker(pbx, configured, profiles)
    last = 0.0
    down = False
    for at, headers in found:
        if "Event" not in headers or "EventList" in headers:
            continue
        # The PBX's own clock, once it has told its time, else that of who captured.
        counts.stamped = counts.stamped or "Timestamp" in headers
        event = normalise(headers, pbx, last if counts.stamped or at is None else at)
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
