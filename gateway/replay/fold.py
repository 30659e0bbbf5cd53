"""Replay messages through the same fold as the live gateway."""

import json
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice

import msgspec
from msgspec import structs

from domain.facts import RESYNC, AnyFact, CallFact, CallStarted, CallUpdated
from domain.lines import Line
from domain.pbx.events import ChannelEvent, FullyBooted, NewChannel, Shutdown
from domain.pbx.snapshot import PbxSnapshot
from domain.phones import AgentProfile
from gateway.asterisk.normalise import normalise, number
from gateway.calls.channels import is_listener
from gateway.calls.resync import resync
from gateway.calls.tracker import CallTracker
from gateway.replay import printed
from gateway.replay.begun import begun
from gateway.replay.capture import Counts, Headers, messages
from gateway.replay.legacy import Legacy
from gateway.replay.legacy_channels import Timed
from gateway.replay.packets import Segment, timed_messages
from gateway.replay.timeline import BEFORE_CAPTURE
from gateway.replay.unstamped import UnstampedClock

LOOK_AHEAD = 20_000
"""Events searched for what they take for granted: calls that had begun before the capture."""
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
    opening = next((line for line in first if line.strip()), "").lstrip("\ufeff")
    if opening.startswith("{"):
        yield from _journal(whole, counts)
        _require(counts, journal=True)
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


def _require(counts: Counts, *, journal: bool = False) -> None:
    if journal and counts.events:
        return
    if not counts.events and not counts.kinds:
        raise ReplayError(
            f"no event found ({counts.messages} messages, {counts.passed_over} other lines): give an AMI log"
            " (telnet, nc), a capture of the AMI port without TLS (a pcap file, tcpdump -A or -X,"
            " tshark -z follow,tcp,ascii,N) or the journal as JSON lines"
        )
    if not counts.calls and not counts.begun:
        kinds = ", ".join(f"{name} ({times})" for name, times in counts.kinds.most_common(5))
        raise ReplayError(
            f"nothing to tell: {counts.events + counts.kinds.total()} events, none of which begins a call"
            + (f"; most are {kinds}" if kinds else "")
            + ". Calls are told from Newchannel, DialBegin, BridgeEnter, Hangup and the queues' events: the"
            " AMI user needs read = call,agent,dialplan, and eventfilter must let them through"
        )


def _journal(lines: Iterable[str], counts: Counts) -> Iterator[AnyFact]:
    for count, line in enumerate(lines, 1):
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
                f"line {count} is no fact of the journal ({error}): export it with one JSON object a line,"
                " each with its `kind`, and replay it with the version that wrote it or a newer one"
            ) from None
        counts.events += 1
        counts.calls += isinstance(fact, CallFact)
        yield fact


def _folded(
    found: Iterable[Timed],
    pbx: str,
    configured: Sequence[Line],
    profiles: Iterable[AgentProfile],
    counts: Counts,
) -> Iterator[AnyFact]:
    tracker = CallTracker(pbx, configured, profiles)
    timed = _dated(_modern(found, counts), counts)
    first = list(islice(timed, LOOK_AHEAD))
    before = begun(headers for _, headers in first)
    snapshot = before.snapshot(pbx, next((at for at, _ in first if at), 0.0))
    known = {*before.rows}
    if before.rows:
        facts = resync(tracker, snapshot, [])
        counts.begun = len(tracker.calls)
        yield from (_before(fact) for fact in facts)
    last, down = 0.0, False
    for at, headers in chain(first, timed):
        event = normalise(headers, pbx, at)
        if event is None:
            counts.kinds[headers["Event"][:40]] += 1
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
            for fact in tracker.apply(event):
                counts.calls += isinstance(fact, CallStarted)
                yield fact
            if isinstance(event, ChannelEvent) and event.uniqueid not in known:
                known.add(event.uniqueid)
                unseen = not isinstance(event, NewChannel) and event.uniqueid not in tracker.channels
                counts.untold += unseen and not is_listener(event.channel)


def _before(fact: AnyFact) -> AnyFact:
    """Word what a resync tells as what it is here."""
    if isinstance(fact, CallUpdated) and fact.what == RESYNC:
        return structs.replace(fact, what=BEFORE_CAPTURE)
    return fact


def _modern(found: Iterable[Timed], counts: Counts) -> Iterator[Timed]:
    """The events, in the words of AMI 2."""
    legacy = Legacy()
    for at, headers in legacy.translate(found):
        counts.old = bool(legacy.old)
        if "Event" in headers and "EventList" not in headers:
            yield at, headers


def _dated(found: Iterable[Timed], counts: Counts) -> Iterator[tuple[float, Headers]]:
    """Each event with its moment: the PBX's own, once it has told one; else the capture's; else a guess.

    What Asterisk sends at a login never has a time stamp: it says nothing of those that follow.
    """
    found = iter(found)
    first = list(islice(found, LOOK_AHEAD))
    stamps = (number(headers, "Timestamp") for _, headers in first)
    stamp = next(filter(None, stamps), 0.0)
    last, guess, told = stamp, UnstampedClock(), False
    for at, headers in chain(first, found):
        told = told or "Timestamp" in headers
        counts.stamped = told
        if told:
            last = number(headers, "Timestamp") or last
        elif at is not None:
            last = at
        elif not stamp:
            counts.unstamped = True
            last = guess.at(headers)
            counts.timeless = not last
        yield last, headers
