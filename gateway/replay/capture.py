"""AMI messages out of lines of text, whatever stands between them. Pure.

Anything that is no AMI message is passed over: prompts, commands typed, packet headers, binary rubbish.
"""

import re
from collections.abc import Iterable, Iterator

from msgspec import Struct

Headers = dict[str, str]

_BEGIN = re.compile(r"(?:Event|Response|Action): ")
_HEADER = re.compile(r"([A-Za-z][\w.()-]{0,60}):(?: (.*))?$")
MAX_HEADERS = 2000


class Counts(Struct):
    """What was found."""

    messages: int = 0
    events: int = 0
    passed_over: int = 0
    """Lines that belong to no message."""
    repeated: int = 0
    """Events left out because another connection in the same capture had carried them already."""
    torn: int = 0
    """Places where packets of a connection are missing."""
    dateless: bool = False
    """The capture tells the time of day only."""
    stamped: bool = False
    """The PBX tells when its events happened."""


class Messages:
    """Lines in, one at a time; a message out when it is complete. Repeated headers are joined by a newline,
    as on a live link."""

    def __init__(self, counts: Counts) -> None:
        self._counts = counts
        self._current: Headers | None = None

    def feed(self, raw: str) -> Headers | None:
        """The message that this line completes, if it does."""
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
            # Junk in between; a message that begins in the middle of it ends the one before.
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
        """There is nothing more; the message that was begun."""
        complete, self._current = self._current, None
        self._counts.messages += bool(complete)
        return complete or None

    def tear(self) -> None:
        """Something is missing here: forget the message that was begun."""
        self._current = None


def messages(lines: Iterable[str], counts: Counts) -> Iterator[Headers]:
    """Each message's headers."""
    reader = Messages(counts)
    for line in lines:
        if message := reader.feed(line):
            yield message
    if message := reader.end():
        yield message
