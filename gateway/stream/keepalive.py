"""Are the clients still there? One task pings all of them, evenly spread.

With a task for each connection, as websockets has it, those who connected together are pinged together: 20 s
after a whole shift has signed in or come back, thousands of pings and answers delayed everybody's changes.
"""

import asyncio
from math import ceil

import structlog
from websockets.frames import CloseCode, Frame, Opcode

from gateway.stream.hub import Client, Hub
from gateway.stream.sender import Follower, Sender

log = structlog.get_logger(__name__)

PING = Frame(Opcode.PING, b"").serialize(mask=False)
STEP_S = 0.25


class Keepalive:
    """Pings each client every `interval_s`, and closes those not heard from for so long after a ping."""

    def __init__(self, hub: Hub, sender: Sender, *, interval_s: float) -> None:
        self._hub = hub
        self._sender = sender
        self._interval_s = interval_s
        self._turns: dict[Client, None] = {}
        """In the order in which they are pinged, the same in every pass."""

    async def run(self) -> None:
        """Until cancelled."""
        loop = asyncio.get_running_loop()
        steps = max(1, round(self._interval_s / STEP_S))
        while True:
            began = loop.time()
            clients = self._next_pass()
            most = ceil(len(clients) / steps)
            for step in range(steps):
                for client in clients[step * most : (step + 1) * most]:
                    self._check(client, loop.time())
                await asyncio.sleep(began + (step + 1) * self._interval_s / steps - loop.time())

    def _next_pass(self) -> list[Client]:
        known = self._hub.clients
        self._turns = {one: None for one in self._turns if one in known}
        self._turns.update(dict.fromkeys(known - self._turns.keys()))
        return list(self._turns)

    def _check(self, client: Client, now: float) -> None:
        assert isinstance(client, Follower)
        connection = client.connection
        # One that reads nothing is the sender's to judge; nor would a ping reach it.
        if client not in self._hub.clients or not client.ready:
            return
        if client.pinged_at > connection.heard_at:
            log.warning("stream_client_gone", seconds=round(now - client.pinged_at))
            self._hub.leave(client)
            self._sender.close(
                connection, CloseCode.INTERNAL_ERROR, "keepalive ping timeout", abort_after_s=1.0
            )
            return
        client.pinged_at = now
        client.transport.write(PING)
