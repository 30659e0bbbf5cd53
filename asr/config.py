"""What the recogniser needs to know; a plain value that travels to the worker processes."""

from dataclasses import dataclass

DEFAULT_PROMPT = "以下是政务服务便民热线的通话，使用简体中文和标点。"


@dataclass(frozen=True)
class AsrConfig:
    """How to recognise."""

    model: str
    """A directory (then nothing is ever fetched) or a hub name."""
    device: str = "cpu"
    """`cpu`, `cuda` or `auto`."""
    compute_type: str = "int8"
    """CTranslate2's name: `int8`, `float16`, …"""
    threads: int = 0
    """Per worker; 0: cores / workers."""
    workers: int = 1
    """Processes; each loads the model once."""
    beam_size: int = 1
    initial_prompt: str = DEFAULT_PROMPT
    """Context that steers script and punctuation; without it Whisper may write traditional characters."""
    engine: str = "faster-whisper"
