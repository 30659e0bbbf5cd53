"""How speech recognition keeps up with the calls."""

from enum import StrEnum

from msgspec import Struct


class Load(StrEnum):
    """What gives when there is more speech than can be computed; sound is never lost."""

    NORMAL = "normal"
    NO_PARTIALS = "no_partials"
    """Text comes when an utterance is over, not while it is spoken."""
    DELAYED = "delayed"
    """Text comes late."""


class Recogniser(Struct, frozen=True):
    """The state of the engine pool."""

    load: Load
    ready: bool
    """A worker with a loaded model is there."""
    waiting: int
    """Utterances of live calls that wait."""
    lag: float
    """Seconds the oldest of them has waited."""
    partials_dropped: int
    """Since the start."""
    fault: str | None = None
    """Why no worker can be started, while that is so."""
