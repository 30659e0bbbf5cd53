"""How the web application is reached and protected."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from fastapi import Request

from gateway.web.access import HOST


@dataclass(frozen=True)
class WebOptions:
    """How the web application is reached and protected."""

    version: str = "0.0.0"
    allowed_origins: Sequence[str] = ()
    secure_cookies: bool = False
    softphone_urls: Sequence[str] = ()
    """Websockets of the PBXs: browser phones connect to them."""
    stream_port: Callable[[], int | None] = lambda: None
    """The stream's bound port, asked for at each use: it may be bound later than the web's."""
    public_stream_url: str | None = None
    """What browsers use behind a proxy, e.g. `wss://desk.example/stream`."""

    def stream_url(self, request: Request) -> str:
        """Where the browser that sends `request` finds the stream."""
        if self.public_stream_url:
            return self.public_stream_url
        host = HOST.fullmatch(request.headers.get("host", ""))
        return f"ws://{host[1] if host else 'localhost'}:{self.stream_port() or 8601}/"
