"""Parse packets printed as text: `tcpdump -A`, `-X` and `-x`, and tshark's "follow". Pure."""

import re
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

from gateway.replay.capture import Counts
from gateway.replay.packets import Segment

_STAMP = re.compile(r"(?:(\d{4}-\d\d-\d\d) )?(\d\d):(\d\d):(\d\d\.\d+) ")
_EPOCH = re.compile(r"(\d{9,11}\.\d+) ")
_PACKET = re.compile(
    r"(?:^|[ :])(?:IP6? )?(?P<source>\S+\.\S+) > (?P<target>\S+\.\S+): "
    r"(?:tcp (?P<plain>\d+)|Flags \[(?P<flags>[^\]]*)\],(?:.* seq (?P<seq>\d+))?.*length (?P<length>\d+))"
)
_OPENING = re.compile(r"IP|[\d:. -]{8,30} IP")
_VERBOSE = re.compile(r"IP6? \(.*\)$")
_HEX = re.compile(r"\s+0x[0-9a-f]{4,}:  ((?:[0-9a-f]{2,4} ?)+)")
_FOLLOWED = re.compile(r"Follow: tcp,ascii$")
_RULE = re.compile(r"={20,}$")
_CHUNK = re.compile(r"(\t?)(\d+)$")


def is_tcpdump(line: str) -> bool:
    """Whether the line is tcpdump's header of a packet."""
    return _PACKET.search(line) is not None


def is_followed(line: str) -> bool:
    """Whether the line is tshark's header of a followed stream."""
    return _FOLLOWED.match(line.rstrip("\r\n")) is not None


class _Clock:
    """When packets were seen; mere times of day continue past midnight, starting from 1970-01-01."""

    def __init__(self, counts: Counts) -> None:
        self._counts = counts
        self._days, self._last = 0, 0.0

    def at(self, line: str) -> float | None:
        if epoch := _EPOCH.match(line):
            return float(epoch[1])
        found = _STAMP.match(line)
        if found is None:
            return None
        of_day = int(found[2]) * 3600 + int(found[3]) * 60 + float(found[4])
        if found[1]:
            day = datetime.fromisoformat(found[1])
        else:
            self._counts.dateless = True
            self._days += of_day < self._last - 43200
            self._last = of_day
            day = datetime(1970, 1, 1) + timedelta(days=self._days)  # noqa: DTZ001 - as the capturing machine's clock
        try:
            return (day + timedelta(seconds=of_day)).astimezone().timestamp()
        except (ValueError, OverflowError, OSError):
            return None


def tcpdump(lines: Iterable[str], counts: Counts) -> Iterator[Segment]:
    """Yield the segments tcpdump printed in ASCII, hexadecimal, or both.

    A packet's text ends with its payload, whose length is in the packet's header line.
    """
    clock = _Clock(counts)
    at: float | None = None
    packet: re.Match[str] | None = None
    text: list[str] = []
    octets = bytearray()

    def taken() -> Iterator[Segment]:
        if packet is None:
            return
        length = int(packet["plain"] or packet["length"] or 0)
        data = bytes(octets[-length:]) if octets and length else _tail("".join(text), length)
        begins = "S" in (packet["flags"] or "")
        # tcpdump prints the absolute number for a connection's first packet, and relative ones after that.
        seq = None if begins else packet["seq"]
        yield Segment(
            flow=f"{packet['source']}>{packet['target']}",
            data=data,
            # Truncated packets are followed by a gap.
            seq=None if seq is None else int(seq) + length - len(data) & 0xFFFFFFFF,
            at=at,
            begins=begins,
        )

    for line in lines:
        found = _PACKET.search(line)
        if found is None and (printed := _HEX.match(line)):
            octets += bytes.fromhex(printed[1])
        elif found is None and not (_VERBOSE.search(line.rstrip()) and _OPENING.match(line)):
            text.append(line if line.endswith("\n") else line + "\n")
        else:
            # With -v the header takes two lines, with the time on the first.
            yield from taken()
            moment = clock.at(line)
            at = moment if moment is not None or not line[:1].isspace() else at
            packet, text = found, []
            octets.clear()
    yield from taken()


def _tail(text: str, length: int) -> bytes:
    """Return the payload at the end of a packet's text; tcpdump prints CR LF as LF."""
    body = text[:-1] if text.endswith("\n") else text
    size, at = 0, len(body)
    while at and size < length:
        at -= 1
        size += 2 if body[at] == "\n" else 1
    found = body[at:].replace("\n", "\r\n").encode("ascii", "replace")
    return found[-length:] if length else b""


def followed(lines: Iterable[str]) -> Iterator[Segment]:
    """Yield the segments of `tshark -z follow,tcp,ascii,N`: each byte count is followed by that many bytes.

    Counts of what the second node sent are indented by a tab.
    """
    stream, left = 0, 0
    flow, chunk = "", ""
    for line in lines:
        if left > 0:
            chunk += line
            left -= len(line)
            if left <= 0:
                # tshark ends each chunk with a line feed of its own.
                yield Segment(flow, chunk.removesuffix("\n").encode("utf-8"))
            continue
        bare = line.rstrip("\r\n")
        stream += _FOLLOWED.match(bare) is not None
        if found := _CHUNK.match(bare):
            flow, chunk = f"{stream}{found[1]}", ""
            left = int(found[2]) + 1
