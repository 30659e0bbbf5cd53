"""The HTTP API and the page. Nothing is open but /healthz, /readyz, the login and the page's own files."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from hmac import compare_digest
from pathlib import Path
from time import time
from typing import Annotated, Any, TypeVar

import msgspec
import structlog
from fastapi import Depends, FastAPI, HTTPException, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import BaseModel
from starlette.exceptions import HTTPException as StarletteHTTPException
from starlette.responses import FileResponse
from starlette.staticfiles import StaticFiles

from agents.accounts import Identity, LoginRefusedError, LoginThrottledError, Permission
from gateway.models.commands import STATUS, catalogue
from gateway.stream import asyncapi
from gateway.stream.origin import own_origin
from gateway.stream.server import COOKIE
from gateway.web.services import Check, OrderRefusedError, ReadinessCheck, WebServices

T = TypeVar("T")
log = structlog.get_logger(__name__)
CSRF_HEADER = "X-CSRF-Token"
MAX_BODY = 64 * 1024
STATIC = Path(__file__).with_name("static")
LOOPBACK = frozenset({"127.0.0.1", "localhost", "[::1]"})
_HOST = re.compile(r"([A-Za-z0-9.-]+|\[[0-9a-fA-F:]+\])(:\d+)?")
Limit = Annotated[int, Query(ge=1, le=500)]


class Login(BaseModel):
    username: str
    password: str


class CommandBody(BaseModel):
    id: str
    name: str
    args: dict[str, Any] = {}


class Fields(BaseModel):
    fields: dict[str, str | bool | list[str]]
    revision: int | None = None


def _json(value: Any, status: int = 200) -> Response:
    return Response(msgspec.json.encode(value), status, media_type="application/json")


def _problem(status: int, detail: str, more: dict[str, str] | None = None) -> Response:
    body = msgspec.json.encode({"type": "about:blank", "status": status, "detail": detail, **(more or {})})
    return Response(body, status, media_type="application/problem+json")


def _found(value: T | None, what: str) -> T:
    if value is None:
        raise HTTPException(404, f"no such {what}, or it is not yours")
    return value


def create_app(services: WebServices) -> FastAPI:
    """The application over `services`."""
    app = FastAPI(title="hotline-gateway", version=services.version, openapi_url=None)

    def stream_url(request: Request) -> str:
        if services.public_stream_url:
            return services.public_stream_url
        host = _HOST.fullmatch(request.headers.get("host", ""))
        return f"ws://{host[1] if host else 'localhost'}:{services.stream_port() or 8601}/"

    async def signed_in(request: Request) -> Identity:
        token = request.cookies.get(COOKIE)
        who = await services.accounts.authenticate(token) if token else None
        if who is None:
            raise HTTPException(401, "not signed in; POST /api/v1/session first")
        if request.method not in ("GET", "HEAD") and not compare_digest(
            request.headers.get(CSRF_HEADER, "").encode(), who.csrf.encode()
        ):
            raise HTTPException(403, f"send the session's csrf value as {CSRF_HEADER}")
        return who

    who_is = Depends(signed_in)

    def need(who: Identity, permission: Permission) -> None:
        if not who.may(permission):
            raise HTTPException(403, f"your role lacks {permission}; ask a supervisor")

    @app.middleware("http")
    async def guard(request: Request, go: Callable[[Request], Awaitable[Response]]) -> Response:
        length = request.headers.get("content-length", "0")
        unsafe = request.method not in ("GET", "HEAD")
        if unsafe and not own_origin(
            request.headers.get("origin"), request.headers.get("host"), allowed=services.allowed_origins
        ):
            response = _problem(403, "origin not allowed; add it to http.allowed_origins")
        elif "transfer-encoding" in request.headers or not length.isdigit() or int(length) > MAX_BODY:
            response = _problem(413, f"send at most {MAX_BODY} bytes, with Content-Length")
        else:
            try:
                response = await go(request)
            except Exception:
                # Here and not in an exception handler: that one's answers would lack the headers below.
                log.exception("http.failed", method=request.method, path=request.url.path)
                response = _problem(500, "internal error; the gateway's log says more")
        response.headers["Content-Security-Policy"] = (
            f"default-src 'self'; img-src 'self' data:; connect-src 'self' {stream_url(request)};"
            " base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'"
        )
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Referrer-Policy"] = "no-referrer"
        page = request.url.path == "/" or request.url.path.startswith("/static/")
        # The page's files are asked for again each time (ETag); data is never kept.
        response.headers["Cache-Control"] = "no-cache" if page else "no-store"
        return response

    @app.exception_handler(StarletteHTTPException)
    async def http_problem(request: Request, error: StarletteHTTPException) -> Response:
        return _problem(error.status_code, str(error.detail))

    @app.exception_handler(RequestValidationError)
    async def bad_request(request: Request, error: RequestValidationError) -> Response:
        return _problem(422, "; ".join(f"{e['loc']}: {e['msg']}" for e in error.errors()))

    @app.exception_handler(OrderRefusedError)
    async def refused(request: Request, error: OrderRefusedError) -> Response:
        return _problem(error.status, error.detail)

    def me(request: Request, who: Identity) -> dict[str, Any]:
        return {
            "username": who.username,
            "role": who.role,
            "agent": who.agent_id,
            "csrf": who.csrf,
            "expires_at": who.expires_at,
            "stream": stream_url(request),
            "version": services.version,
            "lines": services.lines,
            "field_labels": services.field_labels,
        }

    @app.post("/api/v1/session")
    async def login(request: Request, body: Login) -> Response:
        if not request.headers.get("content-type", "").startswith("application/json"):
            return _problem(415, "send application/json")
        address = request.client.host if request.client else ""
        try:
            done = await services.accounts.login(body.username, body.password, address)
        except LoginThrottledError as error:
            response = _problem(429, str(error))
            response.headers["Retry-After"] = str(int(error.retry_after) + 1)
            return response
        except LoginRefusedError as error:
            return _problem(401, str(error))
        response = _json(me(request, done.identity))
        response.set_cookie(
            COOKIE,
            done.token,
            max_age=int(done.identity.expires_at - time()),
            httponly=True,
            samesite="strict",
            secure=services.secure_cookies,
        )
        return response

    @app.get("/api/v1/asyncapi.json")
    async def described(who: Identity = who_is) -> Response:
        return _json(asyncapi.document())

    @app.get("/api/v1/session")
    async def session(request: Request, who: Identity = who_is) -> Response:
        return _json(me(request, who))

    @app.delete("/api/v1/session")
    async def logout(request: Request, who: Identity = who_is) -> Response:
        await services.accounts.logout(request.cookies[COOKIE])
        response = Response(status_code=204)
        response.delete_cookie(COOKIE)
        return response

    async def own_call(call_id: str, who: Identity) -> Any:
        call = _found(await services.calls.get_call(call_id), "call")
        mine = who.may(Permission.SEE_ALL) or (who.agent_id is not None and call.agent == who.agent_id)
        return _found(call if mine else None, "call")

    async def own_order(order_id: str, who: Identity) -> Any:
        order = _found(await services.orders.get_order(order_id), "order")
        if not who.may(Permission.EDIT_ALL_ORDERS):
            await own_call(order.call_id, who)
        return order

    @app.get("/api/v1/calls")
    async def calls(who: Identity = who_is, before: float | None = None, limit: Limit = 50) -> Response:
        if who.may(Permission.SEE_ALL):
            return _json(await services.calls.list_calls(before=before, limit=limit))
        if who.agent_id is None:
            return _json([])
        return _json(await services.calls.list_calls(agent=who.agent_id, before=before, limit=limit))

    @app.get("/api/v1/calls/{call_id}")
    async def call(call_id: str, who: Identity = who_is) -> Response:
        found = await own_call(call_id, who)
        return _json({"call": found, "utterances": await services.calls.list_utterances(call_id)})

    @app.get("/api/v1/orders/{order_id}")
    async def order(order_id: str, who: Identity = who_is) -> Response:
        return _json(await own_order(order_id, who))

    @app.patch("/api/v1/orders/{order_id}/fields")
    async def fields(order_id: str, body: Fields, who: Identity = who_is) -> Response:
        await own_order(order_id, who)
        changed = await services.orders.set_fields(
            order_id, body.fields, revision=body.revision, by=who.username
        )
        return _json(_found(changed, "order"))

    @app.post("/api/v1/orders/{order_id}/submit")
    async def submit(order_id: str, who: Identity = who_is) -> Response:
        await own_order(order_id, who)
        return _json(_found(await services.orders.submit(order_id, by=who.username), "order"))

    @app.get("/api/v1/deliveries")
    async def deliveries(who: Identity = who_is, state: str | None = None, limit: Limit = 50) -> Response:
        need(who, Permission.SEE_DELIVERIES)
        return _json(await services.deliveries.list_deliveries(state=state, limit=limit))

    @app.post("/api/v1/deliveries/{delivery_id}/retry")
    async def retry(delivery_id: str, who: Identity = who_is) -> Response:
        need(who, Permission.RETRY_DELIVERIES)
        return _json(_found(await services.deliveries.retry_delivery(delivery_id), "delivery"))

    @app.get("/api/v1/commands")
    async def command_kinds(who: Identity = who_is) -> Response:
        return _json(catalogue(who.may(Permission.COMMAND_ALL)))

    @app.post("/api/v1/commands")
    async def command(body: CommandBody, who: Identity = who_is) -> Response:
        answer = await _found(services.commands, "command").command(who, body.id, body.name, body.args)
        if answer.ok:
            return _json({"id": answer.id, "ok": True, "result": answer.result})
        more = {"id": answer.id, "code": answer.code}
        return _problem(STATUS.get(answer.code, 500), answer.message, more)

    @app.get("/api/v1/audit")
    async def audit(
        who: Identity = who_is, username: str | None = None, before: int | None = None, limit: Limit = 100
    ) -> Response:
        need(who, Permission.SEE_AUDIT)
        log_of = _found(services.audit, "audit")
        return _json(await log_of.list_audit(username=username, before=before, limit=limit))

    @app.get("/api/v1/openapi.json")
    async def openapi(who: Identity = who_is) -> Response:
        return _json(app.openapi())

    @app.get("/healthz")
    async def healthz() -> Response:
        return _json({"ok": True})

    async def checked(check: ReadinessCheck) -> Check:
        try:
            async with asyncio.timeout(services.check_timeout_s):
                return await check()
        except Exception as error:
            name = getattr(check, "__name__", "check")
            return Check(name, ok=False, detail=f"{type(error).__name__}; see the log")

    @app.get("/readyz")
    async def readyz() -> Response:
        checks = await asyncio.gather(*(checked(check) for check in services.checks))
        ok = all(check.ok for check in checks)
        return _json({"ok": ok, "checks": checks}, 200 if ok else 503)

    @app.get("/metrics")
    async def metrics(request: Request) -> Response:
        # A proxy on this machine is a loopback peer too: its header gives it away.
        # So does the name a rebound page in a browser asked for.
        host = _HOST.fullmatch(request.headers.get("host", ""))
        peer = request.client.host if request.client else ""
        near = peer in ("127.0.0.1", "::1") and host is not None and host[1] in LOOPBACK
        if not near or any(h in request.headers for h in ("forwarded", "x-forwarded-for", "via")):
            need(await signed_in(request), Permission.SEE_METRICS)
        return Response(generate_latest(services.registry), media_type=CONTENT_TYPE_LATEST)

    @app.get("/", include_in_schema=False)
    async def page() -> Response:
        return FileResponse(STATIC / "index.html")

    app.mount("/static", StaticFiles(directory=STATIC), name="static")
    return app
