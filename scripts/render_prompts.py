#!/usr/bin/env python3
"""Render ivr/prompts/*.alaw from prompts.toml with espeak-ng (voice cmn) and sox; both come from Debian."""

import subprocess
import tomllib
from pathlib import Path

PROMPTS = Path(__file__).parent.parent / "ivr" / "prompts"


def main() -> None:
    texts = tomllib.loads((PROMPTS / "prompts.toml").read_text(encoding="utf-8"))["prompts"]
    for name, text in texts.items():
        voice = ["espeak-ng", "-v", "cmn", "-s", "170", "--stdout", text]
        spoken = subprocess.run(voice, check=True, capture_output=True).stdout
        target = str(PROMPTS / f"{name}.alaw")
        convert = ["sox", "-t", "wav", "-", "-t", "al", "-r", "8000", "-c", "1", target, "norm", "-3"]
        subprocess.run([*convert, "silence", "1", "0.01", "0.5%"], input=spoken, check=True)


if __name__ == "__main__":
    main()
