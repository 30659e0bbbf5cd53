"""TCP segments of a capture put together again: each direction of each connection a stream of its own. Pure.

A capture has segments twice (taken on every interface, or sent again), out of order, or not at all. And it
often has more than one connection to the same PBX: Asterisk tells each of them the same, so what one has
told is not folded a second time from another.
"""

from collections import OrderedDict
from collections.abc import Iterable, Iterator

from msgspec import Struct

from gateway.replay.capture import Counts, Headers, Messages

_HALF = 1 << 31
_AFRESH = 1 << 24
"""A leap of the sequence number as big as this is another way of counting, not a gap."""
_EARLY = 256
"""Segments kept while one before them is missing."""
_LONGEST_LINE = 1 << 20
_ALIKE_S = 30.0
"""Connections to one PBX hear of the same thing within this time."""
_ALIKE = 100_000


class Segment(Struct, frozen=True):
    """`flow` names the direction of one connection. `seq` is None where the capture does not tell it;
    `at` is POSIX seconds, or None. `begins`: the connection is new."""

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
            return  # had already
        self._next = segment.seq + len(segment.data) & 0xFFFFFFFF
        yield from self._stream(segment.data[-ahead:])
        yield from self._catch_up()

    def _catch_up(self) -> Iterator[Headers]:
        """What came early and is next now."""
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
        """What is missing will not come any more."""
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
        """The connection is over, or the capture is."""
        while self._early:
            yield from self._over_the_gap()
        if self._rest:
            rest, self._rest = self._rest, b""
            if message := self.messages.feed(rest.decode("utf-8", "replace")):
                yield message
        if message := self.messages.end():
            yield message


class _Told:
    """What has been told, by whom and how often, of late."""

    def __init__(self) -> None:
        self._seen: OrderedDict[int, tuple[float, dict[str, int]]] = OrderedDict()

    def anew(self, flow: str, at: float | None, headers: Headers) -> bool:
        """Whether that is news: no other connection has told it as often as this one now has."""
        now, key = at or 0.0, hash(tuple(headers.items()))
        while self._seen and (len(self._seen) > _ALIKE or self._oldest() < now - _ALIKE_S):
            self._seen.popitem(last=False)
        _, by = self._seen.setdefault(key, (now, {}))
        most = max(by.values(), default=0)
        by[flow] = by.get(flow, 0) + 1
        return by[flow] > most

    def _oldest(self) -> float:
        return next(iter(self._seen.values()))[0]


def conversations(segments: Iterable[Segment], counts: Counts) -> Iterator[tuple[float | None, Headers]]:
    """Each message once, and when it was on the wire."""
    flows: dict[str, _Flow] = {}
    told, at = _Told(), None

    def news(name: str, found: Iterable[Headers]) -> Iterator[tuple[float | None, Headers]]:
        for headers in found:
            if "Event" not in headers or told.anew(name, at, headers):
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
