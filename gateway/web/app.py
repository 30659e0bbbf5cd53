"""The HTTP API and the browser app. Open are only /healthz, /readyz, /welcome, the login and the app's files.

What may be asked is in `gateway/web/routes`, a module for each resource.
"""

from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path

import structlog
from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException as StarletteHTTPException

from domain.refusals import refusal
from gateway.storage.faults import is_of_the_database
from gateway.stream.origin import own_origin
from gateway.web import hostile
from gateway.web.answers import Refused, problem
from gateway.web.options import WebOptions
from gateway.web.pages import DIST, caching, serve_pages
from workorders.errors import OrderRefusedError

log = structlog.get_logger(__name__)
MAX_BODY = 64 * 1024
MAX_LOGGED = 200
"""Characters of a path that the log repeats."""


def create_app(routers: Iterable[APIRouter], options: WebOptions, dist: Path = DIST) -> FastAPI:
    """The application of these routes, with the browser app built in `dist`."""
    app = FastAPI(title="hotline-gateway", version=options.version, openapi_url=None)
    _guard(app, options)
    _tell_problems(app)
    for router in routers:
        app.include_router(router)
    serve_pages(app, dist)
    return app


def _guard(app: FastAPI, options: WebOptions) -> None:
    """Foreign origins and large bodies are refused, and every answer carries the protecting headers."""

    phones = list(options.softphone_urls)

    @app.middleware("http")
    async def guard(request: Request, go: Callable[[Request], Awaitable[Response]]) -> Response:
        length = request.headers.get("content-length", "0")
        unsafe = request.method not in ("GET", "HEAD")
        if unsafe and not own_origin(
            request.headers.get("origin"), request.headers.get("host"), allowed=options.allowed_origins
        ):
            response = problem(403, refusal("origin"))
        elif "transfer-encoding" in request.headers or not length.isdigit() or int(length) > MAX_BODY:
            response = problem(413, refusal("too_large", most=MAX_BODY))
        elif refused := await hostile.refuse(request):
            response = problem(*refused)
        else:
            try:
                response = await go(request)
            except Exception as error:
                # Here and not in an exception handler: that one's answers would lack the headers below.
                log.exception("http.failed", method=request.method, path=request.url.path[:MAX_LOGGED])
                busy = is_of_the_database(error)
                response = (
                    problem(503, refusal("database_busy")) if busy else problem(500, refusal("internal"))
                )
        connected = " ".join([options.stream_url(request), *phones])
        response.headers["Content-Security-Policy"] = (
            "default-src 'self'; img-src 'self' data:; media-src 'self' blob:;"
            f" connect-src 'self' {connected};"
            " base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'"
        )
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Referrer-Policy"] = "no-referrer"
        # A refusal is kept by nobody, whatever was asked for.
        response.headers["Cache-Control"] = (
            caching(request.url.path) if response.status_code < 400 else "no-store"
        )
        return response


def _tell_problems(app: FastAPI) -> None:
    @app.exception_handler(StarletteHTTPException)
    async def http_problem(request: Request, error: StarletteHTTPException) -> Response:
        # What FastAPI itself refuses (no such method) has no reason of ours.
        text = str(error.detail)
        return problem(
            error.status_code,
            error.message if isinstance(error, Refused) else refusal("bad_request", text=text),
        )

    @app.exception_handler(RequestValidationError)
    async def bad_request(request: Request, error: RequestValidationError) -> Response:
        return problem(
            422, refusal("bad_request", text="; ".join(f"{e['loc']}: {e['msg']}" for e in error.errors()))
        )

    @app.exception_handler(OrderRefusedError)
    async def refused(request: Request, error: OrderRefusedError) -> Response:
        return problem(error.status, error.message, **({"code": error.code} if error.code else {}))
