"""A work-order system for demonstrations: a real HTTP server that checks signatures and keeps what it gets.

It does what a receiver should: verifies the Standard Webhooks signature, and takes a delivery it already has
(same `webhook-id`) as done.
"""

import asyncio
import json
from typing import Any, Self

from aiohttp import web
from standardwebhooks import WebhookVerificationError

from workorders.delivery.signing import webhook

MAX_BODY = 4 * 1024 * 1024


class DemoReceiver:
    """Listens on loopback; `url` is where to deliver; `orders` what has arrived, in order."""

    def __init__(self, secret: str, host: str = "127.0.0.1", port: int = 0) -> None:
        self._webhook = webhook(secret)
        self._host, self._wanted = host, port
        self._seen: dict[str, str] = {}
        self.orders: list[dict[str, Any]] = []
        self.repeated = 0
        """Deliveries that arrived again; each was answered and not counted twice."""
        self.refuses: int | None = None
        """The HTTP status with which everything is refused, as by a system that is being worked on."""
        self.refused = 0
        """Deliveries refused in this way."""
        self.arrived = asyncio.Condition()
        """Notified of each order, and of each refusal."""
        self.url = ""

    async def __aenter__(self) -> Self:
        application = web.Application(client_max_size=MAX_BODY)
        application.router.add_post("/orders", self._receive)
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        site = web.TCPSite(self._runner, self._host, self._wanted)
        await site.start()
        port = self._runner.addresses[0][1]
        self.url = f"http://{self._host}:{port}/orders"
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()

    async def _receive(self, request: web.Request) -> web.Response:
        body = await request.read()
        if self.refuses is not None:
            async with self.arrived:
                self.refused += 1
                self.arrived.notify_all()
            return web.json_response({"error": "out of service"}, status=self.refuses)
        try:
            self._webhook.verify(body, dict(request.headers), json_parse=False)
        except (WebhookVerificationError, ValueError):  # ValueError: headers or a body of no such form
            return web.json_response({"error": "bad signature"}, status=401)
        identity = request.headers["webhook-id"]
        number = self._seen.get(identity)
        if number is not None:
            self.repeated += 1
            return web.json_response({"id": number})
        number = f"GD{len(self._seen) + 1:06d}"
        self._seen[identity] = number
        async with self.arrived:
            self.orders.append(json.loads(body))
            self.arrived.notify_all()
        return web.json_response({"id": number}, status=201)
