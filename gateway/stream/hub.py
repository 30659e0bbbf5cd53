"""Who follows the live view, and how far each has come. A client is a cursor, not a queue.

What a client has not been sent is computed when it is ready to take more: each changed key once, in its
latest state. A slow client therefore costs no memory, loses only states that are no longer true, and is
never waited for. Clients of one audience at one place get the same bytes, encoded once.
"""

import asyncio

import msgspec

from gateway.models.facts import AnyFact
from gateway.stream.state import Audience, LiveView, encode_changes


class Client:
    """One follower: what it may see and the last `seq` it has been sent (`None`: needs a snapshot)."""

    def __init__(self, audience: Audience, cursor: int | None = None) -> None:
        self.audience = audience
        self.cursor = cursor
        self.wake = asyncio.Event()
        self.wake.set()


class Hub:
    """Facts in, frames out. Belongs to one event loop."""

    def __init__(self, view: LiveView) -> None:
        self.view = view
        self.clients: set[Client] = set()
        self._cache: dict[tuple[int | None, Audience], bytes | None] = {}
        self._cached_at = -1

    def publish(self, fact: AnyFact) -> None:
        """Fold a fact into the view and wake whoever follows; never waits."""
        self.view.apply(fact)
        self._wake()

    def tick(self, now: float) -> None:
        """Let ended calls leave the view; call about once a second."""
        self.view.tick(now)
        self._wake()

    def _wake(self) -> None:
        if self.view.seq != self._cached_at:
            for client in self.clients:
                client.wake.set()

    def frame(self, client: Client) -> bytes | None:
        """The next frame for `client`, whose cursor moves to now; `None` if nothing it may see changed."""
        if self._cached_at != self.view.seq:
            self._cache.clear()
            self._cached_at = self.view.seq
        at = (client.cursor, client.audience)
        if at not in self._cache:
            self._cache[at] = self._encode(client)
        client.cursor = self.view.seq
        return self._cache[at]

    def _encode(self, client: Client) -> bytes | None:
        seq = self.view.seq
        news = None if client.cursor is None else self.view.since(client.cursor, client.audience)
        if news is None:
            items = encode_changes(self.view.snapshot(client.audience))
            return msgspec.json.encode({"type": "snapshot", "seq": seq, "items": items})
        changes, removals = news
        if not changes and not removals:
            return None
        return msgspec.json.encode(
            {
                "type": "delta",
                "seq": seq,
                "changes": encode_changes(changes),
                "removals": [{"topic": topic, "key": key} for topic, key in removals],
            }
        )
