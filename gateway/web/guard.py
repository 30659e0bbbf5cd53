"""What stands before every route: foreign origins and large bodies are refused, every answer is protected."""

import structlog
from fastapi import Request, Response
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from domain.refusals import refusal
from gateway.storage.faults import is_of_the_database
from gateway.stream.origin import own_origin
from gateway.web import hostile
from gateway.web.answers import problem
from gateway.web.options import WebOptions
from gateway.web.pages import caching

log = structlog.get_logger(__name__)

MAX_BODY = 64 * 1024
MAX_LOGGED = 200
"""Characters of a path that the log repeats."""


class Guard:
    """ASGI middleware. Plain ASGI, for it is in the way of every screen-pop."""

    def __init__(self, app: ASGIApp, options: WebOptions) -> None:
        self._app = app
        self._options = options
        self._phones = list(options.softphone_urls)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = Request(scope, receive)
        started = False

        async def protected(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                self._protect(request, message)
            await send(message)

        response = await self._refused(request)
        if response is None:
            try:
                await self._app(scope, _again(request, receive), protected)
                return
            except Exception as error:
                # Here and not in an exception handler: that one's answers would lack the headers.
                log.exception("http.failed", method=request.method, path=request.url.path[:MAX_LOGGED])
                if started:
                    raise  # half an answer is out: the connection is closed
                response = _failed(error)
        await response(scope, receive, protected)

    async def _refused(self, request: Request) -> Response | None:
        headers = request.headers
        length = headers.get("content-length", "0")
        allowed = self._options.allowed_origins
        if request.method not in ("GET", "HEAD") and not own_origin(
            headers.get("origin"), headers.get("host"), allowed=allowed
        ):
            return problem(403, refusal("origin"))
        if "transfer-encoding" in headers or not length.isdecimal() or int(length) > MAX_BODY:
            return problem(413, refusal("too_large", most=MAX_BODY))
        refused = await hostile.refuse(request)
        return problem(*refused) if refused else None

    def _protect(self, request: Request, message: Message) -> None:
        headers = MutableHeaders(scope=message)
        connected = " ".join([self._options.stream_url(request), *self._phones])
        headers["Content-Security-Policy"] = (
            "default-src 'self'; img-src 'self' data:; media-src 'self' blob:;"
            f" connect-src 'self' {connected};"
            " base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'"
        )
        headers["X-Content-Type-Options"] = "nosniff"
        headers["Referrer-Policy"] = "no-referrer"
        # A refusal is kept by nobody, whatever was asked for.
        headers["Cache-Control"] = caching(request.url.path) if message["status"] < 400 else "no-store"


def _again(request: Request, receive: Receive) -> Receive:
    """What the routes receive: the body that was read is there once more."""
    body: bytes | None = getattr(request, "_body", None)
    if body is None:
        return receive
    told = False

    async def replay() -> Message:
        nonlocal told
        if told:
            return await receive()
        told = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay


def _failed(error: Exception) -> Response:
    busy = is_of_the_database(error)
    return problem(503, refusal("database_busy")) if busy else problem(500, refusal("internal"))
