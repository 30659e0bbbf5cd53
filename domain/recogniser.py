"""How well speech recognition keeps up with the calls."""

from enum import StrEnum

from msgspec import Struct


class Load(StrEnum):
    """What is given up when there is more speech than can be processed; audio is never lost."""

    NORMAL = "normal"
    NO_PARTIALS = "no_partials"
    """Text appears only after an utterance has ended."""
    DELAYED = "delayed"
    """Text appears late."""


class Recogniser(Struct, frozen=True):
    """The state of the engine pool."""

    load: Load
    ready: bool
    """Whether a worker with a loaded model is available."""
    waiting: int
    """Number of utterances of live calls waiting to be transcribed."""
    lag: float
    """Seconds the oldest of them has been waiting."""
    partials_dropped: int
    """Since start-up."""
    fault: str | None = None
    """Why no worker can be started; `None` if there is no problem."""
