"""The recogniser's configuration: a plain value that is sent to the worker processes."""

from dataclasses import dataclass, field

DEFAULT_PROMPT = "以下是政务服务便民热线的通话，使用简体中文和标点。"


def usual_workers(device: str, engine: str, cores: int) -> int:
    """Return the number of workers to use when none is configured.

    On a CPU that is one per core, up to four. Together they are as fast as one worker with all threads, but
    no utterance waits behind another's partial, and no worker waits for a thread the machine has no core for.
    """
    if engine == "http":
        return 4
    return min(4, max(1, cores)) if device == "cpu" else 1


@dataclass(frozen=True)
class AsrConfig:
    """How to run speech recognition."""

    model: str
    """A directory (then nothing is downloaded) or a hub name; for `http`, the endpoint's model name."""
    device: str = "cpu"
    """`cpu`, `cuda` or `auto`."""
    compute_type: str = "int8"
    """CTranslate2's name: `int8`, `float16`, …"""
    threads: int = 0
    """Threads per worker; 0: cores / workers."""
    workers: int = 1
    """Number of processes; each loads the model once."""
    batch: int = 0
    """Most stretches, from any calls, computed together; 0: 1 on the CPU, 16 elsewhere."""
    beam_size: int = 1
    initial_prompt: str = DEFAULT_PROMPT
    """Context that steers script and punctuation; without it Whisper may write traditional characters."""
    hotwords: str = ""
    """Names to expect on every line, separated by spaces."""
    full_window: bool = False
    """Encode Whisper's full 30 s window for every utterance, however short."""
    engine: str = "faster-whisper"
    url: str = ""
    """`http` engine: the endpoint's base URL, without `/audio/transcriptions`."""
    api_key: str = field(default="", repr=False)
    """`http` engine: bearer token; may be empty."""
    timeout_s: float = 30.0
    """`http` engine: time limit of one request."""

    @property
    def batch_size(self) -> int:
        """The most stretches given to a worker at once."""
        return self.batch or (1 if self.device == "cpu" and self.engine != "http" else 16)
