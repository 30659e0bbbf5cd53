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
    form: str = "general"
    """Which fields its orders have: `general`, `enterprise`, `talent`."""
    colour: str = "#1677ff"
