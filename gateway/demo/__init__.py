"""The demo PBX and its calls: real wire protocols, recorded voices."""

from pathlib import Path

CALLS = Path(__file__).parent / "calls"


def install_calls(sounds: Path) -> None:
    """Put the recorded legs where Asterisk's Playback finds them: `<sounds>/hotline-demo/<name>-<side>`.

    Asterisk plays headerless A-law as it is, but does not know A-law in WAV: the header is cut off.
    """
    target = sounds / "hotline-demo"
    target.mkdir(parents=True, exist_ok=True)
    for wav in CALLS.glob("*.wav"):
        data = wav.read_bytes()
        start = data.index(b"data", 12) + 8
        (target / f"{wav.stem}.alaw").write_bytes(data[start:])
