"""The browser app: what `make web` built, served. Its address bar is its own: every page is the same file."""

from pathlib import Path

from fastapi import FastAPI, Request, Response
from starlette.responses import FileResponse
from starlette.staticfiles import StaticFiles

from gateway.web.answers import Refused

DIST = Path(__file__).with_name("dist")
NOT_PAGES = ("api/", "assets/")
MONTHS = "public, max-age=31536000, immutable"


def caching(path: str) -> str:
    """The Cache-Control of an answer to `path`: data is never kept, a name with a hash always."""
    if path.startswith("/assets/"):
        return MONTHS
    return "no-store" if path.startswith(("/api/", "/healthz", "/readyz", "/metrics")) else "no-cache"


def serve_pages(app: FastAPI, dist: Path = DIST) -> None:
    """Serve the app in `dist`: hashed files under /assets, anything else that is no file is a page of it.

    Added last: what other routes answer is theirs. Not built: 503 that says how to fix it.
    """
    app.mount("/assets", StaticFiles(directory=dist / "assets", check_dir=False), name="assets")

    @app.get("/{path:path}", include_in_schema=False)
    async def page(request: Request, path: str) -> Response:
        if path.startswith(NOT_PAGES):
            raise Refused(404, "resource_unknown")
        index = dist / "index.html"
        if not index.is_file():
            raise Refused(503, "app_not_built")
        # In a folder stands no file: ids of calls hold a dot (/history/calls/main-1767.1).
        if not path.startswith(".") and ("/" in path or "." not in path):
            return FileResponse(index)
        # Only files beside the index, no folders and no hidden ones: favicon.svg.
        file = dist / path
        if path.startswith(".") or not file.is_file():
            raise Refused(404, "app_file_unknown")
        return FileResponse(file)
