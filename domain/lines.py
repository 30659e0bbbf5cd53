"""Lines (热线): a public number with its queue, prompts, hours and form."""

from msgspec import Struct


class Line(Struct, frozen=True):
    """One line as configured."""

    id: str
    """Short ASCII name, also the dialplan's: `12345`, `yiqilai`, `shangxian`."""
    name: str
    """As people call it: 一企来."""
    numbers: tuple[str, ...]
    """DIDs that reach it directly."""
    queue: str
    """The PBX's queue name."""
    digit: str = ""
    """The key that chooses it in the greeting menu; empty: not offered there."""
    service_level_s: float = 15.0
    """Answered within so many seconds counts for the service level (GB/T 33358: 15 s)."""
    service_level_target: float = 0.8
    """The share of callers, 0..1, to be answered within `service_level_s`: what the wall measures by."""
    connection_target: float = 0.95
    """The share of callers, 0..1, to be answered at all (GB/T 33358: 95 % of any 24 h)."""
    abandon_after_s: float = 5.0
    """Who hangs up earlier is a short abandon (短时放弃), counted apart."""
    wrap_up_s: float = 0.0
    """Wrap-up (话后处理) after each call, seconds; 0: none."""
    wrap_up_max_s: float = 300.0
    """Wrap-up with all its extensions."""
    timezone: str = "Asia/Shanghai"
    """Whose midnight its day begins at."""
    form: str = "general"
    """Which fields its orders have: `general`, `enterprise`, `talent`."""
    colour: str = "#1677ff"
