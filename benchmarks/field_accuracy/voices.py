"""Written turns as telephone sound: Mandarin voices of Kokoro, then the line (band, noise, A-law).

What `make voices` fetches is needed; nothing else of the project needs it.
"""

import json
import random
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime  # type: ignore[import-untyped]
import soxr
from numpy.typing import NDArray
from pypinyin import Style, lazy_pinyin
from scipy.signal import butter, sosfilt

from gateway.demo.alaw import TABLE

HOME = Path(__file__).resolve().parents[2] / ".cache" / "models" / "kokoro"
VOICED_RATE, RATE = 24_000, 8_000
STYLE = 256
VERSION = 1
"""Raise it when the same text is to sound otherwise: what is kept of earlier sound is then made anew."""
Pcm = NDArray[np.int16]
Sound = NDArray[np.float32]
_TONES = {"˧˩˧": "↓", "˧˥": "↗", "˥˩": "↘", "˥": "→", "ɻ̩": "ɨ", "ɹ̩": "ɨ", "\u032f": ""}
_DIGITS = str.maketrans("0123456789", "零一二三四五六七八九")
_POINTS = str.maketrans({"，": ", ", "、": ", ", "。": ". ", "！": "! ", "？": "? "})
# Read as a surname, not as the word.
_SURNAMES = {
    "曾": "zeng1",
    "单": "shan4",
    "任": "ren2",
    "解": "xie4",
    "仇": "qiu2",
    "华": "hua4",
    "盖": "ge3",
}
_HUMMED = {"n2": "en2", "ng2": "en2", "n4": "en4"}
_SAID = re.compile(r"(?<=姓)[曾单任解仇华盖]|[曾单任解仇华盖](?=先生|女士)")


class Speaker:
    """Eight voices, one at a time."""

    def __init__(self, home: Path = HOME, threads: int = 1) -> None:
        if not (home / ".complete").exists():
            raise SystemExit(f"no voices in {home}: run `make voices`")
        sys.path.append(str(home / "lib"))
        from misaki.transcription import pinyin_to_ipa  # type: ignore[import-not-found]

        self._ipa = pinyin_to_ipa
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        self._session = onnxruntime.InferenceSession(str(home / "kokoro.onnx"), options)
        self._tokens: dict[str, int] = json.loads((home / "vocab.json").read_text(encoding="utf-8"))["vocab"]
        self._voices = {
            path.stem: np.fromfile(path, np.float32).reshape(-1, STYLE)
            for path in sorted((home / "voices").glob("*.bin"))
        }

    @property
    def voices(self) -> list[str]:
        """Names of the voices."""
        return list(self._voices)

    def _phonemes(self, text: str) -> str:
        text = text.translate(_DIGITS)
        surnames = {match.start(): _SURNAMES[match.group()] for match in _SAID.finditer(text)}
        read = lazy_pinyin(text, Style.TONE3, errors=list, neutral_tone_with_five=True)  # type: ignore[arg-type]
        out = []
        for at, one in enumerate(read):
            if not one.isascii() or not one.isalnum():
                out.append(one.translate(_POINTS))
                continue
            spelt = _HUMMED.get(one) or surnames.get(at, one)
            try:
                ipa = "".join("".join(part) for part in self._ipa(spelt)[0])
            except ValueError:
                continue  # Latin letters: the written calls have none that matter
            for sign, plain in _TONES.items():
                ipa = ipa.replace(sign, plain)
            out.append(ipa)
        return "".join(out)

    def say(self, text: str, voice: str, speed: float) -> Sound:
        """24,000 samples a second, -1..1."""
        tokens = [self._tokens[one] for one in self._phonemes(text) if one in self._tokens][:500]
        style = self._voices[voice]
        given: dict[str, Any] = {
            "tokens": np.array([[0, *tokens, 0]], np.int64),
            "style": style[min(len(tokens), len(style)) - 1][None, :],
            "speed": np.array([speed], np.float32),
        }
        sound = np.asarray(self._session.run(None, given)[0], np.float32).ravel()
        loud = np.flatnonzero(np.abs(sound) > 0.01)
        return sound[max(0, loud[0] - 700) : loud[-1] + 700] if loud.size else sound


def line(sound: Sound, snr_db: float, rng: np.random.Generator) -> Pcm:
    """Speech of 24,000 samples a second as the far end of a telephone line hears it, 8,000 a second."""
    narrow = soxr.resample(sound, VOICED_RATE, RATE)
    narrow = sosfilt(butter(4, (300, 3400), "bandpass", fs=RATE, output="sos"), narrow)
    spoken = narrow[np.abs(narrow) > 0.01]
    level = float(np.sqrt(np.mean(spoken**2))) if spoken.size else 1e-3
    narrow = narrow * (0.1 / level)
    hiss = sosfilt(butter(1, 1500, fs=RATE, output="sos"), rng.standard_normal(narrow.size))
    hiss *= 0.1 * 10 ** (-snr_db / 20) / float(np.sqrt(np.mean(hiss**2)))
    return _alaw(np.clip(narrow + hiss, -1, 1) * 32767)


def _alaw(samples: NDArray[np.float64]) -> Pcm:
    steps = np.unique(TABLE).astype(np.float64)
    middles = (steps[1:] + steps[:-1]) / 2
    rounded: Pcm = steps[np.searchsorted(middles, samples)].astype(np.int16)
    return rounded


def call_sound(
    call: dict[str, Any], speaker: Speaker, seed: int
) -> tuple[dict[str, Pcm], list[dict[str, Any]]]:
    """Both legs, time-aligned, and the turns with the times they were really said at."""
    rng = random.Random(f"{seed} {call['id']}")
    voice = dict(zip(("caller", "agent"), rng.sample(speaker.voices, 2), strict=True))
    speed = {"caller": rng.uniform(0.85, 1.3), "agent": rng.uniform(0.95, 1.2)}
    snr = {"caller": rng.uniform(14, 32), "agent": rng.uniform(24, 38)}
    at, placed, turns = 0.6, [], []
    for turn in call["turns"]:
        side = turn["speaker"]
        sound = speaker.say(turn["text"], voice[side], speed[side])
        end = at + sound.size / VOICED_RATE
        placed.append((side, at, sound))
        turns.append({**turn, "start": round(at, 2), "end": round(end, 2)})
        at = end + rng.uniform(0.4, 1.0)
    size = int((at + 1) * VOICED_RATE)
    legs: dict[str, Pcm] = {}
    for side in ("caller", "agent"):
        whole = np.zeros(size, np.float32)
        for who, start, sound in placed:
            if who == side:
                first = int(start * VOICED_RATE)
                whole[first : first + sound.size] = sound
        legs[side] = line(whole, snr[side], np.random.default_rng(rng.randrange(2**32)))
    return legs, turns
