"""What the gateway needs to serve, one check for each thing."""

from collections.abc import Awaitable, Callable

from msgspec import Struct


class Check(Struct, frozen=True):
    """One thing the gateway needs to serve. `detail` names cause and fix where `ok` is false."""

    name: str
    """`pbx:<name>`, `database`, `asr` …"""
    ok: bool
    detail: str = ""


ReadinessCheck = Callable[[], Awaitable[Check]]
