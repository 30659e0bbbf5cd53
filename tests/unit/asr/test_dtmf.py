"""Keys' tones are taken out; voices stay."""

import json
from pathlib import Path

import numpy as np
import pytest

from asr.dtmf import Pcm, ToneMask
from gateway.demo.alaw import alaw_of, decode

CALLS = Path(__file__).resolve().parents[3] / "gateway/demo/calls"
RATE = 8_000
LOW, HIGH = (697, 770, 852, 941), (1209, 1336, 1477, 1633)


def mask(sound: Pcm, rate: int = RATE, lot: int = 160) -> Pcm:
    tones = ToneMask(rate)
    parts = [tones.push(sound[at : at + lot]) for at in range(0, sound.size, lot)]
    return np.concatenate([*parts, tones.flush()])


def key(low: int, high: int, seconds: float, rate: int = RATE, level: float = 4_000.0) -> np.ndarray:
    at = np.arange(round(seconds * rate)) / rate
    return level * (np.sin(2 * np.pi * low * at) + 0.7 * np.sin(2 * np.pi * high * at + 1))


@pytest.mark.parametrize("rate", [8_000, 16_000])
@pytest.mark.parametrize("lot", [1, 0.02, 0.1])
def test_every_key_is_taken_out_wherever_it_begins(rate: int, lot: float) -> None:
    rng = np.random.default_rng(3)
    sound = rng.normal(0, 50, rate * 9)
    for number, (low, high) in enumerate((low, high) for low in LOW for high in HIGH):
        tone = key(low, high, 0.08, rate)
        begin = round((0.5 + number * 0.5037) * rate)
        sound[begin : begin + tone.size] += tone
    out = mask(sound.astype(np.int16), rate, round(lot * rate) if lot < 1 else 61)
    assert out.size == sound.size
    assert np.abs(out).max() < 300, "a remainder of a tone can be heard"
    assert np.abs(out).mean() > 20, "the line's own noise stays"


@pytest.mark.parametrize("name", ["d03", "d04", "d10"])
@pytest.mark.parametrize("side", ["caller", "agent"])
def test_no_word_is_taken_out(name: str, side: str) -> None:
    assert json.loads((CALLS / f"{name}.json").read_text())["turns"]
    sound = decode(alaw_of(CALLS / f"{name}-{side}.wav"))
    assert np.array_equal(mask(sound), sound)


def test_a_tone_of_the_exchange_is_not_a_key() -> None:
    at = np.arange(RATE) / RATE
    sound = (8_000 * np.sin(2 * np.pi * 450 * at)).astype(np.int16)
    assert np.array_equal(mask(sound), sound)


@pytest.mark.parametrize("size", [0, 1, 159, 321])
def test_short_sounds_come_out_whole(size: int) -> None:
    sound = np.arange(size, dtype=np.int16)
    assert np.array_equal(mask(sound), sound)


@pytest.mark.parametrize("lot", [80, 160, 480])
def test_silence_is_given_out_at_once_and_a_voice_soon(lot: int) -> None:
    """An utterance is over sooner by as much."""
    rng = np.random.default_rng(3)
    voice, line = rng.normal(0, 3_000, RATE // 2), rng.normal(0, 45, RATE // 2)
    sound = np.concatenate([line, voice, line]).astype(np.int16)
    tones, out = ToneMask(RATE), 0
    late: dict[bool, list[int]] = {True: [], False: []}
    for at in range(0, sound.size, lot):
        out += tones.push(sound[at : at + lot]).size
        end = min(at + lot, sound.size)
        spoken = bool(np.abs(sound[end - 480 : end]).max() > 250) if end > 480 else True
        late[spoken].append(end - out)
    assert max(late[False]) < 160
    assert max(late[True]) <= 480
    assert late[False]
    assert late[True]
