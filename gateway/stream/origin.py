"""Check whether a browser's request comes from one of our own pages (the `Origin` header)."""

from collections.abc import Collection
from urllib.parse import urlsplit


def own_origin(
    origin: str | None, host: str | None, *, allowed: Collection[str] = (), page_port: int | None = None
) -> bool:
    """Whether `origin` is `host` itself (also with the page's port), or is in `allowed`.

    A missing Origin is allowed: browsers always send it with websockets and unsafe requests, and other
    programs need the cookie anyway.
    """
    if origin is None or origin in allowed:
        return True
    try:
        page, ours = urlsplit(origin), urlsplit(f"//{host or ''}")
        if page.scheme not in ("http", "https") or not page.hostname or page.hostname != ours.hostname:
            return False
        usual = 443 if page.scheme == "https" else 80
        return (page.port or usual) in (ours.port or usual, page_port)
    except ValueError:
        return False
