"""The demo PBX and its recorded calls, over real wire protocols."""

from pathlib import Path

CALLS = Path(__file__).parent / "calls"


def install_calls(sounds: Path) -> None:
    """Install the recorded legs for Asterisk's Playback: `<sounds>/hotline-demo/<name>-<side>`.

    Asterisk plays headerless A-law as it is but cannot read A-law in WAV, so the header is removed.
    """
    target = sounds / "hotline-demo"
    target.mkdir(parents=True, exist_ok=True)
    for wav in CALLS.glob("*.wav"):
        data = wav.read_bytes()
        start = data.index(b"data", 12) + 8
        (target / f"{wav.stem}.alaw").write_bytes(data[start:])
