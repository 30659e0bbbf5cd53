"""Lines (热线): a public number with its queue, service targets and order form."""

from msgspec import Struct


class Line(Struct, frozen=True):
    """One line as configured."""

    id: str
    """Short ASCII name, also used in the dialplan: `12345`, `yiqilai`, `shangxian`."""
    name: str
    """Display name, e.g. 一企来."""
    numbers: tuple[str, ...]
    """DIDs that reach the line directly."""
    queue: str
    """Name of the queue on the PBX."""
    digit: str = ""
    """The key that selects the line in the greeting menu; empty if it is not offered there."""
    service_level_s: float = 15.0
    """Calls answered within this many seconds count towards the service level (GB/T 33358: 15 s)."""
    service_level_target: float = 0.8
    """Target share of callers, 0..1, answered within `service_level_s`; the wallboard compares with it."""
    connection_target: float = 0.95
    """Target share of callers, 0..1, answered at all (GB/T 33358: 95 % of any 24 h)."""
    abandon_after_s: float = 5.0
    """Callers who hang up earlier are short abandons (短时放弃), counted separately."""
    wrap_up_s: float = 0.0
    """Wrap-up (话后处理) after each call, in seconds; 0 means none."""
    wrap_up_max_s: float = 300.0
    """Maximum wrap-up including all extensions, in seconds."""
    timezone: str = "Asia/Shanghai"
    """The line's day begins at midnight in this time zone."""
    form: str = "general"
    """The order form, which decides the fields: `general`, `enterprise` or `talent`."""
    colour: str = "#1677ff"
