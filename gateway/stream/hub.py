"""Who follows the live view, and how far each client has come. A client is a cursor, not a queue.

Clients that keep up share one cursor and are grouped by audience. Changes for one agent (a screen-pop) go to
that agent at once (`own`). Changes for everybody are sent in rounds (`share`), to some clients at a time,
with the same bytes for all alike. A client whose turn is still to come is `pending`, with its position; if
something of its own comes first, it gets both in one frame.

A client that stops reading falls behind. When it can take more again (`due`), what it missed is computed:
each changed key once, in its latest state. That costs no memory and loses only states that are no longer
current, and nobody ever waits for the client.
"""

from collections import OrderedDict, deque
from collections.abc import Callable, Iterator
from itertools import islice
from time import monotonic

from msgspec import Struct

from domain.facts import AnyFact, QueueChanged
from gateway.stream.audience import Audience
from gateway.stream.encoding import delta_frame, select
from gateway.stream.items import Entry
from gateway.stream.state import LiveView


class Client:
    """One follower. `cursor`: the last `seq` it was sent, while behind (`None`: it needs a snapshot)."""

    # Rounds go through thousands of these: each further object to look at is a wait for memory.
    __slots__ = ("alike", "audience", "cursor")

    def __init__(self, audience: Audience, cursor: int | None = None) -> None:
        self.audience = audience
        self.cursor = cursor
        self.alike: Alike | None = None
        """Set while the client keeps up."""


class Alike:
    """Clients that get the same bytes for everybody's changes: `audience` without the agent."""

    def __init__(self, audience: Audience) -> None:
        self.audience = audience
        self.last_sent = 0.0
        """When they were last sent anything, for the sender."""


Sending = tuple[list[Client], int, bytes]
"""Clients, the position they were at, and the frame that brings them up to date."""
Entries = list[Entry]


class _Round(Struct):
    """One round of sending everybody's changes, up to `seq`."""

    seq: int
    frames: dict[tuple[int, Alike], bytes | None]
    """Keyed by the clients' position; `None`: nothing in the round concerns them."""


class Hub:
    """Facts in, frames out. Belongs to one event loop."""

    def __init__(
        self, view: LiveView, *, queue_interval_s: float = 0.25, clock: Callable[[], float] = monotonic
    ) -> None:
        """Set up the hub; each queue is shown at most once per `queue_interval_s`, in its latest state."""
        self.view = view
        self.clients: set[Client] = set()
        self.behind: set[Client] = set()
        """Clients with a cursor of their own."""
        self.due: deque[Client] = deque()
        """Those behind that may be able to take what they missed, in the order in which they are served."""
        self.on_news: Callable[[], None] = lambda: None
        """Called when there is something to send, or will be once `held_for` has passed."""
        self._sent = view.seq
        self._public = view.seq
        """The newest change that concerns everybody."""
        self._groups: dict[Audience, set[Client]] = {}
        self._by_agent: dict[str | None, set[Audience]] = {}
        self._seeing_all: dict[Audience, set[Client]] = {}
        """The subset of groups that see everything."""
        self._alike: dict[Audience, Alike] = {}
        self.pending: OrderedDict[Client, int] = OrderedDict()
        """Clients that keep up but have not yet been sent everybody's changes, with their position."""
        self._round: _Round | None = None
        self._clock = clock
        self._interval = queue_interval_s
        self._held: dict[tuple[str, str], QueueChanged] = {}
        self._shown_at: dict[tuple[str, str], float] = {}

    # -- facts in

    def publish(self, fact: AnyFact) -> None:
        """Fold a fact into the view, now or soon, without waiting."""
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
        """Remove calls that ended a while ago from the view; call about once a second."""
        self.release()
        self.view.tick(now)
        self.on_news()

    def release(self) -> None:
        """Show the held queues whose time has come."""
        now = self._clock()
        for queue in [one for one in self._held if now - self._shown_at[one] >= self._interval]:
            self._shown_at[queue] = now
            self.view.apply(self._held.pop(queue))

    @property
    def held_for(self) -> float | None:
        """Seconds until the next held queue is due; `None` if none is held."""
        if not self._held:
            return None
        return max(0.0, self._interval + min(self._shown_at[one] for one in self._held) - self._clock())

    # -- clients

    def join(self, client: Client) -> None:
        """Add a client, starting from its own cursor."""
        self.clients.add(client)
        self._late(client)
        self.on_news()

    def leave(self, client: Client) -> None:
        """Remove a client."""
        self._ungroup(client)
        self.clients.discard(client)
        self.behind.discard(client)

    def restart(self, client: Client, cursor: int | None, audience: Audience | None = None) -> None:
        """Continue from another position, or as another audience."""
        self._ungroup(client)
        client.cursor, client.audience = cursor, audience or client.audience
        self._late(client)
        self.on_news()

    def fall_behind(self, client: Client, cursor: int | None) -> None:
        """Mark the client as behind: it was not ready for what came after `cursor`, or needs a snapshot."""
        self._ungroup(client)
        client.cursor = cursor
        self._late(client)

    def has_room(self, client: Client) -> None:
        """Serve the client again if it is behind: it has taken everything it was sent."""
        if client in self.behind:
            self.due.append(client)
            self.on_news()

    def _late(self, client: Client) -> None:
        self.behind.add(client)
        self.due.append(client)

    @property
    def sent(self) -> int:
        """The position of all who keep up, except those pending."""
        return self._sent

    def _ungroup(self, client: Client) -> None:
        self.pending.pop(client, None)
        group = self._groups.get(client.audience)
        client.alike = None
        if group is None or client not in group:
            return
        group.discard(client)
        if not group:
            del self._groups[client.audience]
            self._seeing_all.pop(client.audience, None)
            audiences = self._by_agent[client.audience.agent]
            audiences.discard(client.audience)
            if not audiences:
                del self._by_agent[client.audience.agent]

    # -- frames out

    def own(self) -> Iterator[Sending]:
        """Yield changes for single agents, to be sent now; consume it without awaiting in between.

        Changes for everybody, or for those who see all, make their clients pending.
        """
        before, tail = self._sent, self.view.items.changed(self._sent)
        if tail is None:
            # More changes were dropped at once than are kept: everybody needs a snapshot.
            self._sent = self._public = self.view.seq
            for client in [one for group in self._groups.values() for one in group]:
                self.fall_behind(client, None)
            return
        if not tail:
            return
        self._sent = seq = self.view.seq
        public = [entry for entry in tail if entry[1].public]
        private: dict[str, Entries] = {}
        for entry in tail:
            if not entry[1].public:
                for agent in (entry[1].agent, *entry[1].former):
                    if agent is not None and agent in self._by_agent:
                        private.setdefault(agent, []).append(entry)
        turns = [
            (client, self.pending.pop(client, before), entries)
            for agent, entries in private.items()
            for audience in self._by_agent[agent]
            if not audience.sees_all
            for client in self._groups[audience]
        ]
        self._share_later(before, bool(public), {client for client, *_ in turns})
        missed: dict[int, Entries | None] = {before: public}
        for client, since, entries in turns:
            if since not in missed:
                missed[since] = self.view.items.public_changed(since)
            shared = missed[since]
            if shared is None:
                self.fall_behind(client, None)
                continue
            whole = sorted([*shared, *entries], key=lambda entry: entry[1].seq) if shared else entries
            frame = delta_frame(seq, *select(whole, client.audience))
            if frame is not None:
                yield [client], since, frame

    def _share_later(self, before: int, everybody: bool, told: set[Client]) -> None:
        if everybody:
            self._public = self._sent
        concerned = [self.clients - self.behind] if everybody else self._seeing_all.values()
        for clients in concerned:
            self.pending.update(dict.fromkeys(clients.difference(told, self.pending), before))

    @property
    def sharing(self) -> bool:
        """Whether a round is in progress."""
        return self._round is not None

    def share(self, most: int) -> Iterator[Sending]:
        """Continue the round with up to `most` pending clients; consume it without awaiting in between."""
        going = self._round = self._round or _Round(self._sent, {})
        turns: dict[tuple[int, Alike], list[Client]] = {}
        batch = list(islice(self.pending.items(), most))
        if len(batch) < most:
            self._round = None
        for client, since in batch:
            if since >= going.seq:
                self._round = None  # Those still pending had their turn and wait for the next round.
                break
            assert client.alike is not None
            del self.pending[client]
            turns.setdefault((since, client.alike), []).append(client)
        for (since, alike), clients in turns.items():
            if (self._sent if alike.audience.sees_all else self._public) > going.seq:
                self.pending.update(dict.fromkeys(clients, going.seq))
            if (since, alike) not in going.frames:
                tail = self.view.items.changed_for(since, alike.audience)
                if tail is None:
                    for client in clients:
                        self.fall_behind(client, None)
                    continue
                going.frames[since, alike] = delta_frame(going.seq, *select(tail, alike.audience))
            if (frame := going.frames[since, alike]) is not None:
                yield clients, since, frame

    def catch_up(self, client: Client) -> bytes | None:
        """Return the frame that brings a client up to date (once `own` has been consumed)."""
        cursor = client.cursor
        news = None if cursor is None else self.view.since(cursor, client.audience)
        if news is None:
            frame: bytes | None = self.view.snapshot(client.audience)
        else:
            frame = delta_frame(self.view.seq, *news)
        client.cursor = self.view.seq
        self.behind.discard(client)
        self._group(client)
        return frame

    def _group(self, client: Client) -> None:
        audience = client.audience
        group = self._groups.setdefault(audience, set())
        group.add(client)
        self._by_agent.setdefault(audience.agent, set()).add(audience)
        if audience.sees_all:
            self._seeing_all[audience] = group
        anybody = audience.anybody
        client.alike = self._alike.setdefault(anybody, Alike(anybody))
