"""Renders prompts for custom lines with espeak-ng, if it is installed; a recording sounds better."""

import io
import shutil
import subprocess
import wave
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import soxr

from domain.lines import Line
from ivr.prompts import install, texts

RATE = 8000
FIX = "install espeak-ng, or record it as 8 kHz mono and put it there"


class PromptError(Exception):
    """A prompt cannot be rendered; the message names the fix."""


def render(text: str) -> bytes:
    """Speak `text` as signed 16-bit little-endian mono at 8 kHz, which Asterisk plays as `.sln`.

    Raises:
        PromptError: espeak-ng is missing or failed.
    """
    if shutil.which("espeak-ng") is None:
        raise PromptError(f"no voice for {text!r}: {FIX}")
    command = ["espeak-ng", "-v", "cmn", "-s", "170", "--stdout", "--", text]
    try:
        spoken = subprocess.run(command, check=True, capture_output=True, timeout=30).stdout
        with wave.open(io.BytesIO(_with_sizes(spoken))) as file:
            rate = file.getframerate()
            samples = np.frombuffer(file.readframes(file.getnframes()), "<i2").astype(np.float32)
    except (subprocess.SubprocessError, OSError, wave.Error, EOFError) as error:
        raise PromptError(f"espeak-ng could not say {text!r} ({error}): {FIX}") from error
    if samples.size == 0 or not samples.any():
        raise PromptError(f"espeak-ng has no sound for {text!r}: {FIX}")
    narrow = soxr.resample(samples, rate, RATE)
    return bytes((narrow / np.abs(narrow).max() * 0.7 * 32767).astype("<i2").tobytes())


def _with_sizes(stream: bytes) -> bytes:
    """Fill in the sizes in the header of a WAV written to a pipe, which `wave` needs."""
    at = stream.find(b"data") + 4
    if at < 4:
        raise EOFError("no audio")
    size = (len(stream) - at - 4) // 2 * 2
    return (
        stream[:4]
        + (len(stream) - 8).to_bytes(4, "little")
        + stream[8:at]
        + size.to_bytes(4, "little")
        + stream[at + 4 : at + 4 + size]
    )


def provide(directory: Path, lines: Sequence[Line], *, language: str = "") -> tuple[list[Path], list[str]]:
    """Provide everything the greeting of `lines` plays: shipped prompts, and rendered names of custom lines.

    Existing files are kept. Returns the files written and, for each prompt that could not be provided, why.

    Raises:
        OSError: the directory cannot be written.
    """
    written = install(directory, language=language)
    target = directory / language / "hotline"
    problems: list[str] = []
    for line in lines:
        name = f"line-{line.id}"
        if name in texts() or any(target.glob(f"{name}.*")):
            continue
        try:
            sound = render(line.name)
        except PromptError as error:
            problems.append(f"{target / name}: {error}")
            continue
        path = target / f"{name}.sln"
        path.write_bytes(sound)
        written.append(path)
    return written, problems
