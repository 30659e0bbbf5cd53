"""Reassemble a capture's TCP segments into one stream per direction of each connection. Pure.

A capture may have segments twice (seen on every interface, or retransmitted), out of order, or not at all. It
often has several connections to the same PBX too: Asterisk tells each the same, so an event seen on one is
not folded again from another.
"""

from collections import OrderedDict
from collections.abc import Iterable, Iterator

from msgspec import Struct

from gateway.replay.capture import Counts, Headers, Messages

_HALF = 1 << 31
_AFRESH = 1 << 24
"""A jump in sequence numbers this big means they are counted differently, not that data is missing."""
_EARLY = 256
"""Segments kept while an earlier one is missing."""
_LONGEST_LINE = 1 << 20
_ALIKE_S = 30.0
"""Connections to one PBX report the same event within this time."""
_ALIKE = 100_000


class Segment(Struct, frozen=True):
    """A TCP segment; `flow` identifies one direction of one connection.

    `seq` is None if the capture does not include it; `at` is POSIX seconds, or None. `begins`: the connection
    is new.
    """

    flow: str
    data: bytes
    seq: int | None = None
    at: float | None = None
    begins: bool = False


class _Flow:
    """One direction of one connection."""

    def __init__(self, counts: Counts) -> None:
        self._counts = counts
        self._next: int | None = None
        self._early: dict[int, bytes] = {}
        self._rest = b""
        self.messages = Messages(counts)

    def take(self, segment: Segment) -> Iterator[Headers]:
        if segment.begins:
            yield from self.end()
            self._next = None if segment.seq is None else segment.seq + 1 & 0xFFFFFFFF
            self._early.clear()
        if not segment.data:
            return
        if segment.seq is None:
            yield from self._stream(segment.data)
            return
        ahead = 0 if self._next is None else (segment.seq - self._next + _HALF) % (2 * _HALF) - _HALF
        if abs(ahead) > _AFRESH:
            self._early.clear()
            ahead = 0
        if ahead > 0:
            if len(segment.data) > len(self._early.get(segment.seq, b"")):
                self._early[segment.seq] = segment.data
            if len(self._early) > _EARLY:
                yield from self._over_the_gap()
            return
        if ahead + len(segment.data) <= 0:
            return  # duplicate
        self._next = segment.seq + len(segment.data) & 0xFFFFFFFF
        yield from self._stream(segment.data[-ahead:])
        yield from self._catch_up()

    def _catch_up(self) -> Iterator[Headers]:
        """Process segments that came early and are next now."""
        while self._early and self._next is not None:
            seq = min(self._early, key=lambda one: (one - (self._next or 0) + _HALF) % (2 * _HALF))
            ahead = (seq - self._next + _HALF) % (2 * _HALF) - _HALF
            if ahead > 0:
                return
            data = self._early.pop(seq)[-ahead:]
            if data:
                self._next = self._next + len(data) & 0xFFFFFFFF
                yield from self._stream(data)

    def _over_the_gap(self) -> Iterator[Headers]:
        """Give up on the missing data and continue after it."""
        self._counts.torn += 1
        self._rest = b""
        self.messages.tear()
        assert self._next is not None
        start = self._next
        self._next = min(self._early, key=lambda one: (one - start) % (2 * _HALF))
        yield from self._catch_up()

    def _stream(self, data: bytes) -> Iterator[Headers]:
        *whole, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > _LONGEST_LINE:
            self._rest = b""
        for line in whole:
            if message := self.messages.feed(line.decode("utf-8", "replace")):
                yield message

    def end(self) -> Iterator[Headers]:
        """End the connection or the capture."""
        while self._early:
            yield from self._over_the_gap()
        if self._rest:
            rest, self._rest = self._rest, b""
            if message := self.messages.feed(rest.decode("utf-8", "replace")):
                yield message
        if message := self.messages.end():
            yield message


class _Seen:
    """Recent events: which connection reported them, and how often."""

    def __init__(self) -> None:
        self._seen: OrderedDict[int, tuple[float, dict[str, int]]] = OrderedDict()

    def is_new(self, flow: str, at: float | None, headers: Headers) -> bool:
        """Whether the event is new: no other connection has reported it as often as this one now has."""
        now, key = at or 0.0, hash(tuple(headers.items()))
        while self._seen and (len(self._seen) > _ALIKE or self._oldest() < now - _ALIKE_S):
            self._seen.popitem(last=False)
        _, by = self._seen.setdefault(key, (now, {}))
        most = max(by.values(), default=0)
        by[flow] = by.get(flow, 0) + 1
        return by[flow] > most

    def _oldest(self) -> float:
        return next(iter(self._seen.values()))[0]


def timed_messages(segments: Iterable[Segment], counts: Counts) -> Iterator[tuple[float | None, Headers]]:
    """Yield each message once, with the time it was on the wire."""
    flows: dict[str, _Flow] = {}
    seen, at = _Seen(), None

    def news(name: str, found: Iterable[Headers]) -> Iterator[tuple[float | None, Headers]]:
        for headers in found:
            if "Event" not in headers or seen.is_new(name, at, headers):
                yield at, headers
            else:
                counts.repeated += 1

    for segment in segments:
        flow = flows.get(segment.flow)
        if flow is None:
            flow = flows[segment.flow] = _Flow(counts)
        at = segment.at
        yield from news(segment.flow, flow.take(segment))
    for name, flow in flows.items():
        yield from news(name, flow.end())
