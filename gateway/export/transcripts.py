"""What was said on a call, as text to read and as subtitles (WebVTT) to a recording. Pure."""

from collections.abc import Iterable

from domain.calls import Side
from domain.transcripts import Utterance

SPEAKERS = {Side.CALLER: "来电人", Side.AGENT: "坐席"}


def as_text(said: Iterable[Utterance]) -> str:
    """A line for each utterance: when it began in the call, who said it, what."""
    lines = [f"[{_clock(one.start)[:-4]}] {SPEAKERS[one.side]}：{_line(one.text)}" for one in said]
    return "\n".join([*lines, ""])


def as_webvtt(said: Iterable[Utterance], offset: float, duration: float) -> str:
    """WebVTT of a recording that begins at `offset` seconds of call time and lasts `duration` seconds."""
    cues = ["WEBVTT"]
    for one in said:
        start, end = max(0.0, one.start - offset), min(duration, one.end - offset)
        if end > start:
            text = _line(one.text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
            cues.append(f"{_clock(start)} --> {_clock(end)}\n<v {SPEAKERS[one.side]}>{text}")
    return "\n\n".join(cues) + "\n"


def _clock(seconds: float) -> str:
    """hh:mm:ss.mmm."""
    whole = round(max(0.0, seconds) * 1000)
    return f"{whole // 3_600_000:02d}:{whole // 60_000 % 60:02d}:{whole // 1000 % 60:02d}.{whole % 1000:03d}"


def _line(text: str) -> str:
    return " ".join(text.split())
