"""A browser phone: what an agent's browser needs to register at the PBX."""

from msgspec import Struct


class IceServer(Struct, frozen=True):
    """A STUN or TURN server, in the form browsers take."""

    urls: tuple[str, ...]


class Softphone(Struct, frozen=True):
    """One agent's browser phone."""

    username: str
    password: str
    domain: str
    """Of the SIP address: `sip:<username>@<domain>`."""
    websocket: str
    display_name: str
    ice_servers: tuple[IceServer, ...] = ()

    def __repr__(self) -> str:
        """Without the password: this may be logged."""
        return f"Softphone({self.username!r}, {self.domain!r}, {self.websocket!r})"
