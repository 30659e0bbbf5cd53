"""What the doctor measures."""

import numpy as np

from gateway.doctor.audio import tone_share


def test_a_tone_is_told_from_noise_speech_band_and_silence() -> None:
    t = np.arange(8000) / 8000
    tone = (8000 * np.sin(2 * np.pi * 1004 * t)).astype("<i2").tobytes()
    noise = np.random.default_rng(1).normal(0, 4000, 8000).astype("<i2").tobytes()
    other = (8000 * np.sin(2 * np.pi * 425 * t)).astype("<i2").tobytes()
    assert tone_share(tone, 8000) > 0.99
    assert tone_share(noise, 8000) < 0.1
    assert tone_share(other, 8000) < 0.01
    assert tone_share(bytes(16000), 8000) == 0.0
    assert tone_share(b"", 8000) == 0.0
