"""Whether the database takes what is written: how long writes have waited, and why the last one failed."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from gateway.storage.faults import is_of_the_database


class WriteWatch:
    """Watches the write transactions of one database."""

    def __init__(self) -> None:
        self._begun: dict[object, float] = {}
        self.trouble = ""
        """Why the last write failed; empty while the database takes what is written."""

    @contextmanager
    def one(self) -> Iterator[None]:
        """Watch one transaction, from asking for a connection to the end of its commit."""
        token = object()
        self._begun[token] = time.monotonic()
        try:
            yield
        except Exception as error:
            if is_of_the_database(error):
                self.trouble = f"{type(error).__name__}: {error}"[:300]
            raise
        else:
            self.trouble = ""
        finally:
            del self._begun[token]

    @property
    def waiting_s(self) -> float:
        """For how long the oldest write has been under way, in seconds."""
        return time.monotonic() - min(self._begun.values()) if self._begun else 0.0
