"""Replay messages through the same fold as the live gateway."""

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
from gateway.replay.packets import Segment, timed_messages

Timed = tuple[float | None, Headers]
_PEEK = 200
"""Lines inspected to detect the kind of file."""


class ReplayError(Exception):
    """The file cannot be replayed; the message names the cause and the fix."""


def facts_of(
    lines: Iterable[str],
    pbx: str,
    configured: Sequence[Line],
    profiles: Iterable[AgentProfile],
    counts: Counts,
) -> Iterator[AnyFact]:
    """Yield the facts of a file: an AMI log in any supported form, or our journal as JSON lines.

    Raises:
        ReplayError: a journal line is not a fact, or the file contains nothing that can be replayed.
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
            found = timed_messages(printed.followed(whole), counts)
        elif any(printed.is_tcpdump(line) for line in first):
            found = timed_messages(printed.tcpdump(whole, counts), counts)
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
    """Yield the facts of captured packets.

    Raises:
        ReplayError: they contain nothing that can be replayed.
    """
    yield from _folded(timed_messages(segments, counts), pbx, configured, profiles, counts)
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
            # A table row exported with its columns has the fact in `data`.
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
        # The PBX's own clock, once it has reported the time; otherwise that of the capture.
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
                # The PBX was restarted: calls in progress are gone.
                yield from resync(tracker, PbxSnapshot(pbx=pbx, at=last), [])
            down = False
        else:
            yield from tracker.apply(event)
