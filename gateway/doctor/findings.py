"""What the doctor says of one thing."""

from msgspec import Struct


class Finding(Struct, frozen=True):
    """One thing looked at. `mend` is what to do where `ok` is false; `warning`: it works, but not well."""

    what: str
    ok: bool
    detail: str = ""
    mend: str = ""
    warning: bool = False
