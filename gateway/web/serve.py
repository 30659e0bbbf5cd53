"""uvicorn inside our own loop: no signal handlers, port 0 allowed, clean end."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager

import uvicorn
from fastapi import FastAPI


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """The composition root handles signals."""
        yield


@asynccontextmanager
async def serve_web(
    app: FastAPI, host: str, port: int, watch: Callable[[asyncio.Task[None]], None] = lambda _: None
) -> AsyncIterator[int]:
    """Serve `app` while the block runs; yields the bound port. `watch` is given the task that serves.

    Raises:
        OSError: the address cannot be bound.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.create_server((host, port), family=family)
    # Forwarded headers are not believed: /metrics asks for the real peer.
    config = uvicorn.Config(
        app,
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        ws="none",
        timeout_graceful_shutdown=3,
    )
    server = _Server(config)
    task = asyncio.create_task(server.serve(sockets=[sock]), name="http")
    watch(task)
    try:
        while not server.started and not task.done():  # noqa: ASYNC110 - uvicorn offers only a flag
            await asyncio.sleep(0.01)
        yield sock.getsockname()[1]
    finally:
        server.should_exit = True
        await task
        sock.close()
