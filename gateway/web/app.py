"""The HTTP API and the browser app. Open are only /healthz, /readyz, /welcome, the login and the app's files.

What may be asked is in `gateway/web/routes`, a module for each resource.
"""

from collections.abc import Iterable
from functools import cache
from pathlib import Path

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException as StarletteHTTPException

from domain.refusals import refusal
from gateway.web.answers import Refused, problem
from gateway.web.guard import Guard
from gateway.web.openapi import document
from gateway.web.options import WebOptions
from gateway.web.pages import DIST, serve_pages
from workorders.errors import OrderRefusedError


def create_app(routers: Iterable[APIRouter], options: WebOptions, dist: Path = DIST) -> FastAPI:
    """The application of these routes, with the browser app built in `dist`."""
    app = FastAPI(title="hotline-gateway", version=options.version, openapi_url=None)
    routers = list(routers)
    app.openapi = cache(lambda: document(routers, options.version))  # type: ignore[method-assign]
    app.add_middleware(Guard, options=options)
    _tell_problems(app)
    for router in routers:
        app.include_router(router)
    serve_pages(app, dist)
    return app


def _tell_problems(app: FastAPI) -> None:
    @app.exception_handler(StarletteHTTPException)
    async def http_problem(request: Request, error: StarletteHTTPException) -> Response:
        # What FastAPI itself refuses (no such method) has no reason of ours.
        text = str(error.detail)
        answer = problem(
            error.status_code,
            error.message if isinstance(error, Refused) else refusal("bad_request", text=text),
        )
        answer.headers.update(error.headers or {})
        return answer

    @app.exception_handler(RequestValidationError)
    async def bad_request(request: Request, error: RequestValidationError) -> Response:
        return problem(
            422, refusal("bad_request", text="; ".join(f"{e['loc']}: {e['msg']}" for e in error.errors()))
        )

    @app.exception_handler(OrderRefusedError)
    async def refused(request: Request, error: OrderRefusedError) -> Response:
        return problem(error.status, error.message, **({"code": error.code} if error.code else {}))
