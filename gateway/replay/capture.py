"""Extract AMI messages from lines of text, whatever is between them. Pure.

Anything that is not an AMI message is skipped: prompts, typed commands, packet headers, binary junk.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator

from msgspec import Struct, field

Headers = dict[str, str]

_BEGIN = re.compile(r"(?:Event|Response|Action): ")
_HEADER = re.compile(r"([A-Za-z][\w.()-]{0,60}):(?: (.*))?$")
MAX_HEADERS = 2000


class Counts(Struct):
    """Statistics on what was found."""

    messages: int = 0
    events: int = 0
    passed_over: int = 0
    """Lines that belong to no message."""
    repeated: int = 0
    """Events left out because another connection in the same capture had already carried them."""
    torn: int = 0
    """Places where packets of a connection are missing."""
    dateless: bool = False
    """The capture has only times of day, no dates."""
    stamped: bool = False
    """The PBX reports when its events happened."""
    unstamped: bool = False
    """Neither the PBX nor the capture says when: times are of unique ids, where they tell."""
    timeless: bool = False
    """Not even those."""
    old: bool = False
    """The capture is of an Asterisk before 12."""
    calls: int = 0
    """Calls told."""
    begun: int = 0
    """Calls that had begun before the capture."""
    untold: int = 0
    """Channels that had begun before and were first mentioned too late to be told."""
    kinds: Counter[str] = field(default_factory=Counter)
    """How often each kind of event came that says nothing of a call."""


class Messages:
    """Takes lines one at a time and returns each message when it is complete.

    Repeated headers are joined by a newline, as on a live link.
    """

    def __init__(self, counts: Counts) -> None:
        self._counts = counts
        self._current: Headers | None = None

    def feed(self, raw: str) -> Headers | None:
        """Take a line and return the message it completes, if any."""
        line = raw.rstrip("\r\n")
        if self._current is None:
            begin = _BEGIN.search(line)
            if begin is None:
                self._counts.passed_over += bool(line.strip())
                return None
            self._current, line = {}, line[begin.start() :]
        elif not line.strip():
            return self.end()
        header = _HEADER.match(line)
        if header is None:
            # Junk in between; a message that begins in the middle of it ends the previous one.
            begin = _BEGIN.search(line)
            header = _HEADER.match(line[begin.start() :]) if begin else None
            if header is None:
                self._counts.passed_over += 1
                return None
        name, value = header[1], header[2] or ""
        current, complete = self._current, None
        if name in ("Event", "Response", "Action"):
            complete = self.end()
            current = self._current = {}
        if name in current:
            current[name] += "\n" + value
        elif len(current) < MAX_HEADERS:
            current[name] = value
        return complete

    def end(self) -> Headers | None:
        """End the input and return the unfinished message, if any."""
        complete, self._current = self._current, None
        self._counts.messages += bool(complete)
        return complete or None

    def tear(self) -> None:
        """Discard the unfinished message: something is missing here."""
        self._current = None


def messages(lines: Iterable[str], counts: Counts) -> Iterator[Headers]:
    """Yield each message's headers."""
    reader = Messages(counts)
    for line in lines:
        if message := reader.feed(line):
            yield message
    if message := reader.end():
        yield message
