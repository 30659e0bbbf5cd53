"""The telephone line of the voiced calls; the voices themselves need `make voices`."""

import numpy as np

from benchmarks.field_accuracy.voiced import place, written
from benchmarks.field_accuracy.voices import RATE, VOICED_RATE, line
from gateway.demo.alaw import TABLE


def tone(hertz: float) -> np.ndarray:
    return np.sin(2 * np.pi * hertz * np.arange(VOICED_RATE) / VOICED_RATE).astype(np.float32)


def test_a_line_carries_its_band_in_a_law() -> None:
    heard = line(tone(1000), 60, np.random.default_rng(1))
    assert heard.dtype == np.int16
    assert heard.size == RATE
    assert np.isin(heard, TABLE).all()
    assert abs(int(np.abs(np.fft.rfft(heard)).argmax()) - 1000) <= 1
    both = np.abs(np.fft.rfft(line(tone(1000) + tone(60), 60, np.random.default_rng(1)).astype(float)))
    assert both[60] < both[1000] / 30


def test_noise_is_as_loud_as_asked_and_the_same_each_time() -> None:
    first, again = (line(tone(1000), 20, np.random.default_rng(3)) for _ in range(2))
    assert (first == again).all()
    power = np.abs(np.fft.rfft(first.astype(float))) ** 2
    noise = power.sum() - power[998:1003].sum()
    assert 17 < 10 * np.log10(power[998:1003].sum() / noise) < 23


def test_written_calls_are_kept_by_what_is_said() -> None:
    calls = list(written(2))
    assert [one["id"] for one in calls] == ["a000", "b000", "c000", "a001", "b001", "c001"]
    changed = {**calls[0], "turns": calls[0]["turns"][:-1]}
    assert place(calls[0]) == place({**calls[0], "truth": {}})
    assert place(calls[0]) != place(changed)
