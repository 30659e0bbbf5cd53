"""Leases: which process serves which PBX, where two of them share a database."""

from msgspec import Struct


class Lease(Struct, frozen=True):
    """One thing that one process at a time may serve. Instants are POSIX seconds by the database's clock."""

    name: str
    """`pbx:<name>`; `standby:<holder>` for a process that stands by."""
    holder: str
    """The process that has it, or had it last: `HOST:PID:RANDOM`; empty: nobody ever had it."""
    address: str
    """Where its page is."""
    term: int
    """Counts up each time it changes hands."""
    taken_at: float
    expires_in_s: float
    """Seconds left; not above 0: nobody holds it."""

    @property
    def held(self) -> bool:
        """Whether it has not run out."""
        return self.expires_in_s > 0
