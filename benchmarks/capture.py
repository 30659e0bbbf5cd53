"""The AMI traffic of one real call, repeated with other ids: as many calls as a benchmark wants."""

import re
from pathlib import Path

CAPTURE = Path(__file__).parents[1] / "tests" / "data" / "ami" / "queue-call.ami"
AGENT = b"1001"
_IDS = re.compile(
    rb"(?P<uniqueid>\b\d{10}\.\d+\b(?!\d))|(?P<channel>(?<=-)[0-9a-f]{8}\b)|"
    rb"(?P<bridge>\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b)|"
    rb"(?P<agent>(?<![\w.])1001(?![\w.]))|(?P<caller>(?<!\d)13962875016(?!\d))"
)


class Calls:
    """`call(n)` is the traffic of the n-th call."""

    def __init__(self, path: Path = CAPTURE) -> None:
        messages = path.read_bytes().split(b"\r\n\r\n")
        # Without the login's own messages: a FullyBooted in mid-stream would mean a restart.
        events = [
            one + b"\r\n\r\n"
            for one in messages
            if one.startswith(b"Event: ") and not one.startswith(b"Event: FullyBooted")
        ]
        self.events = len(events)
        """Events in one call."""
        stamps = set(re.findall(rb"Timestamp: (\d{10}\.\d+)", b"".join(events)))
        self._parts: list[bytes] = []
        self._slots: list[tuple[str, bytes]] = []
        self.popped_at = 0
        """Index into `call(n)`'s events of the phone's own ringing, after AgentCalled: the screen-pop."""
        rest = b""
        for index, event in enumerate(events):
            rings = event.startswith(b"Event: Newstate") and b"\r\nChannelStateDesc: Ringing" in event
            if rings and not self.popped_at:
                self.popped_at = index
            position = 0
            for found in _IDS.finditer(event):
                if found[0] in stamps:
                    continue
                self._parts.append(rest + event[position : found.start()])
                self._slots.append((found.lastgroup or "", found[0]))
                rest, position = b"", found.end()
            rest += event[position:] + b"\0"
        self._parts.append(rest[:-1])

    def call(self, number: int, agent: bytes = AGENT) -> list[bytes]:
        """The events of call `number`, taken by `agent`, as they come over the wire."""
        known: dict[bytes, bytes] = {AGENT: agent}
        pieces: list[bytes] = []
        for part, (kind, value) in zip(self._parts, self._slots, strict=False):
            pieces.append(part)
            if value not in known:
                count = number * 64 + len(known)
                if kind == "uniqueid":
                    known[value] = b"18%08d.%d" % (number % 10**8, count)
                elif kind == "caller":
                    # Everybody calls once: nobody has called a thousand times before.
                    known[value] = b"139%08d" % (number % 10**8)
                elif kind == "channel":
                    known[value] = b"%08x" % (count % 2**32)
                else:
                    known[value] = b"%08x-0000-4000-8000-%012x" % (number % 2**32, count)
            pieces.append(known[value])
        pieces.append(self._parts[-1])
        return b"".join(pieces).split(b"\0")

    def burst(self, first: int, count: int) -> bytes:
        """`count` whole calls, one after another."""
        return b"".join(b"".join(self.call(first + index)) for index in range(count))
