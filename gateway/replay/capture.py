"""Finding AMI messages in what people have at hand: telnet and nc logs, tcpdump -A output. Pure.

Anything that is no AMI message is passed over: prompts, commands typed, packet headers, binary rubbish.
"""

import re
from collections.abc import Iterable, Iterator

from msgspec import Struct

Headers = dict[str, str]

_BEGIN = re.compile(r"(?:Event|Response|Action): ")
_HEADER = re.compile(r"([A-Za-z][\w.()-]{0,60}):(?: (.*))?$")
_PACKET = re.compile(
    r"(?:\d{4}-\d\d-\d\d )?\d\d:\d\d:\d\d\.\d+ (?:\S+ +(?:In|Out) +)?IP6? (\S+) > (\S+): .*length (\d+)"
)
MAX_HEADERS = 2000


class Counts(Struct):
    """What was found."""

    messages: int = 0
    events: int = 0
    passed_over: int = 0
    """Lines that belong to no message."""


def messages(lines: Iterable[str], counts: Counts) -> Iterator[Headers]:
    """Each message's headers; repeated ones joined by a newline, as on a live link."""
    current: Headers | None = None
    for raw in lines:
        line = raw.rstrip("\r\n")
        if current is None:
            begin = _BEGIN.search(line)
            if begin is None:
                counts.passed_over += bool(line.strip())
                continue
            current, line = {}, line[begin.start() :]
        elif not line.strip():
            counts.messages += 1
            yield current
            current = None
            continue
        header = _HEADER.match(line)
        if header is None:
            # Junk in between; a message that begins in the middle of it ends the one before.
            begin = _BEGIN.search(line)
            header = _HEADER.match(line[begin.start() :]) if begin else None
            if header is None:
                counts.passed_over += 1
                continue
        name, value = header[1], header[2] or ""
        if name in ("Event", "Response", "Action") and current:
            counts.messages += 1
            yield current
            current = {}
        if name in current:
            current[name] += "\n" + value
        elif len(current) < MAX_HEADERS:
            current[name] = value
    if current:
        counts.messages += 1
        yield current


def is_tcpdump(line: str) -> bool:
    """Whether that is how tcpdump announces a packet."""
    return _PACKET.match(line) is not None


def payloads(lines: Iterable[str]) -> Iterator[str]:
    """The lines that travelled in the packets of a `tcpdump -A`, one connection's not mixed with another's.

    A packet's text ends with its payload, whose length the announcement tells; a line cut by a packet's
    border goes on in the next packet of the same direction.
    """
    rest: dict[str, str] = {}
    flow, length, text = "", 0, [""]

    def taken() -> Iterator[str]:
        if not length or not flow:
            return
        body = "".join(text)
        body = body[:-1] if body.endswith("\n") else body
        size, at = 0, len(body)
        while at and size < length:
            at -= 1
            # tcpdump does not print the CR of a CR LF.
            size += 2 if body[at] == "\n" else 1
        *whole, rest[flow] = (rest.get(flow, "") + body[at:]).split("\n")
        yield from whole

    for line in lines:
        packet = _PACKET.match(line)
        if packet is None:
            text.append(line if line.endswith("\n") else line + "\n")
            continue
        yield from taken()
        flow, length, text = f"{packet[1]}>{packet[2]}", int(packet[3]), []
    yield from taken()
    yield from rest.values()
