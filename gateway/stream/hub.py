"""Who follows the live view, and how far each has come. A client is a cursor, not a queue.

Clients that keep up share one cursor and are grouped by audience: a change is looked at once, and each group
gets the same bytes. A client that takes nothing for a while falls behind: what it has missed is computed when
it is ready again, each changed key once, in its latest state. It costs no memory, loses only states that are
no longer true, and is never waited for.
"""

from collections.abc import Callable, Iterator
from time import monotonic

from gateway.models.facts import AnyFact, QueueChanged
from gateway.stream.state import Audience, Item, Key, LiveView, delta_frame, snapshot_frame


class Client:
    """One follower. `cursor`: the last `seq` it was sent, while behind (`None`: it needs a snapshot)."""

    def __init__(self, audience: Audience, cursor: int | None = None) -> None:
        self.audience = audience
        self.cursor = cursor


class Hub:
    """Facts in, frames out. Belongs to one event loop."""

    def __init__(
        self, view: LiveView, *, queue_interval_s: float = 0.25, clock: Callable[[], float] = monotonic
    ) -> None:
        """Queues concern everybody: each is shown at most once per `queue_interval_s`, as it then is."""
        self.view = view
        self.clients: set[Client] = set()
        self.behind: set[Client] = set()
        """Clients with a cursor of their own."""
        self.on_news: Callable[[], None] = lambda: None
        """Called when there is something to send, or will be when `held_for` is over."""
        self._sent = view.seq
        self._groups: dict[Audience, set[Client]] = {}
        self._by_agent: dict[str | None, set[Audience]] = {}
        self._clock = clock
        self._interval = queue_interval_s
        self._held: dict[tuple[str, str], QueueChanged] = {}
        self._shown_at: dict[tuple[str, str], float] = {}

    # -- facts in

    def publish(self, fact: AnyFact) -> None:
        """Fold a fact into the view, now or soon; never waits."""
        if isinstance(fact, QueueChanged) and self._interval:
            queue = (fact.queue.pbx, fact.queue.name)
            now = self._clock()
            if now - self._shown_at.get(queue, -self._interval) < self._interval:
                self._held[queue] = fact
                self.on_news()
                return
            self._shown_at[queue] = now
            self._held.pop(queue, None)
        self.view.apply(fact)
        self.on_news()

    def tick(self, now: float) -> None:
        """Let ended calls leave the view; call about once a second."""
        self.release()
        self.view.tick(now)
        self.on_news()

    def release(self) -> None:
        """Show the queues whose time has come."""
        now = self._clock()
        for queue in [one for one in self._held if now - self._shown_at[one] >= self._interval]:
            self._shown_at[queue] = now
            self.view.apply(self._held.pop(queue))

    @property
    def held_for(self) -> float | None:
        """Seconds until the next held queue is due; `None`: none is held."""
        if not self._held:
            return None
        return max(0.0, self._interval + min(self._shown_at[one] for one in self._held) - self._clock())

    # -- clients

    def join(self, client: Client) -> None:
        """A client begins to follow, from its own cursor."""
        self.clients.add(client)
        self.behind.add(client)
        self.on_news()

    def leave(self, client: Client) -> None:
        """A client is gone."""
        self._ungroup(client)
        self.clients.discard(client)
        self.behind.discard(client)

    def restart(self, client: Client, cursor: int | None, audience: Audience | None = None) -> None:
        """Go on from another place, or as another audience."""
        self._ungroup(client)
        client.cursor, client.audience = cursor, audience or client.audience
        self.behind.add(client)
        self.on_news()

    def fall_behind(self, client: Client, cursor: int) -> None:
        """The client was not ready for what came after `cursor`."""
        self._ungroup(client)
        client.cursor = cursor
        self.behind.add(client)

    @property
    def sent(self) -> int:
        """The place of all who keep up."""
        return self._sent

    def _ungroup(self, client: Client) -> None:
        group = self._groups.get(client.audience)
        if group is None or client not in group:
            return
        group.discard(client)
        if not group:
            del self._groups[client.audience]
            audiences = self._by_agent[client.audience.agent]
            audiences.discard(client.audience)
            if not audiences:
                del self._by_agent[client.audience.agent]

    # -- frames out

    def deltas(self) -> Iterator[tuple[list[Client], bytes]]:
        """What those who keep up are to be sent now; take all of it without waiting in between."""
        tail = self.view.changed(self._sent)
        if not tail:
            self._sent = self.view.seq if tail is not None else self._sent
            if tail is None:
                yield from self._snapshots()
            return
        self._sent = seq = self.view.seq
        public = [entry for entry in tail if entry[1].public]
        private: dict[str | None, list[tuple[Key, Item]]] = {}
        for entry in tail:
            if not entry[1].public:
                for agent in (entry[1].agent, *entry[1].former):
                    if agent in self._by_agent:
                        private.setdefault(agent, []).append(entry)
        # Own changes (a screen-pop) go out first, then what concerns everybody alike, made once.
        same: dict[Audience, list[Client]] = {}
        for audience in self._concerned(bool(public), private):
            if audience.sees_all:
                frame = self._delta(seq, tail, audience)
            elif own := private.get(audience.agent):
                entries = sorted([*public, *own], key=lambda entry: entry[1].seq) if public else own
                frame = self._delta(seq, entries, audience)
            else:
                anybody = Audience(False, None, audience.masked, audience.topics)
                same.setdefault(anybody, []).extend(self._groups[audience])
                continue
            if frame is not None:
                yield list(self._groups[audience]), frame
        for anybody, clients in same.items():
            if (frame := self._delta(seq, public, anybody)) is not None:
                yield clients, frame

    def _concerned(self, everybody: bool, agents: dict[str | None, list[tuple[Key, Item]]]) -> list[Audience]:
        if everybody:
            return list(self._groups)
        found = [audience for agent in agents for audience in self._by_agent.get(agent, ())]
        seen = set(found)
        return [*found, *(one for one in self._groups if one.sees_all and one not in seen)]

    def _delta(self, seq: int, entries: list[tuple[Key, Item]], audience: Audience) -> bytes | None:
        return delta_frame(seq, *self.view.select(entries, audience))

    def _snapshots(self) -> Iterator[tuple[list[Client], bytes]]:
        """More was forgotten at once than is kept: everybody begins anew."""
        self._sent = self.view.seq
        for audience, group in list(self._groups.items()):
            yield list(group), snapshot_frame(self.view, audience)

    def catch_up(self, client: Client) -> bytes | None:
        """The frame that brings a client that was behind to where all are (`deltas` having been taken)."""
        cursor = client.cursor
        news = None if cursor is None else self.view.since(cursor, client.audience)
        if news is None:
            frame: bytes | None = snapshot_frame(self.view, client.audience)
        else:
            frame = delta_frame(self.view.seq, *news)
        client.cursor = self.view.seq
        self.behind.discard(client)
        self._groups.setdefault(client.audience, set()).add(client)
        self._by_agent.setdefault(client.audience.agent, set()).add(client.audience)
        return frame
