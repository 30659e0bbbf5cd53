"""One PBX: connected for as long as `run()` runs, resynchronised on every connection."""

from typing import Literal

from msgspec import Struct

LinkPhase = Literal["disconnected", "connecting", "refused", "synchronising", "up"]


class LinkState(Struct, frozen=True, kw_only=True):
    """`reason` says what went wrong and how to mend it; "" when all is well. `at`: POSIX seconds."""

    pbx: str
    phase: LinkPhase
    reason: str = ""
    at: float = 0.0
