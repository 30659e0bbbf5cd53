"""Browser phones: what an agent's browser needs to register with the PBX and to be reached through NAT."""

import base64
import hmac
from collections.abc import Iterable

from msgspec import Struct


class IceServer(Struct, frozen=True, omit_defaults=True):
    """STUN or TURN servers, in the form browsers expect."""

    urls: tuple[str, ...]
    username: str = ""
    credential: str = ""
    """A TURN server's temporary password."""

    def __repr__(self) -> str:
        """Without the credential: this may be logged."""
        return f"IceServer({self.urls!r})"


def is_turn(url: str) -> bool:
    """Whether the server is a TURN relay, which needs credentials, rather than STUN, which does not."""
    return url.startswith("turn")


def ice_servers(urls: Iterable[str], secret: str | None, agent: str, expires: float) -> tuple[IceServer, ...]:
    """Return STUN servers as they are, TURN servers with credentials valid until `expires` (POSIX seconds).

    The TURN server derives the same credentials from the shared secret (`use-auth-secret`): the user name is
    `<expiry>:<agent>`, the password is the base64 of its HMAC-SHA1. Browsers reject TURN servers without
    credentials.

    Raises:
        ValueError: there is a TURN server but no secret.
    """
    servers, relays = [], []
    for url in urls:
        if is_turn(url):
            relays.append(url)
        else:
            servers.append(IceServer((url,)))
    if relays:
        if secret is None:
            raise ValueError("no TURN secret")
        user = f"{int(expires)}:{agent}"
        digest = hmac.digest(secret.encode(), user.encode(), "sha1")
        servers.append(IceServer(tuple(relays), user, base64.b64encode(digest).decode("ascii")))
    return tuple(servers)


class Softphone(Struct, frozen=True):
    """One agent's browser phone."""

    username: str
    password: str
    domain: str
    """Domain of the SIP address `sip:<username>@<domain>`."""
    websocket: str
    display_name: str
    ice_servers: tuple[IceServer, ...] = ()
    ice_lasts_s: float | None = None
    """Seconds until the TURN credentials expire and must be requested again; `None` if there are none."""

    def __repr__(self) -> str:
        """Without the password: this may be logged."""
        return f"Softphone({self.username!r}, {self.domain!r}, {self.websocket!r})"


class SoftphoneUnavailableError(Exception):
    """A browser phone is configured, but a secret it needs is missing. The text names the fix."""
