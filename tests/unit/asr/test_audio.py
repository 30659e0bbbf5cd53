"""Any sound file: what comes out is what went in."""

import wave
from pathlib import Path

import av
import numpy as np
import pytest

from asr.audio import AudioError, read_audio
from gateway.demo.alaw import alaw_of, decode

CALLS = Path(__file__).resolve().parents[3] / "gateway/demo/calls"
LEFT = decode(alaw_of(CALLS / "d10-caller.wav"))[:40_000]
RIGHT = decode(alaw_of(CALLS / "d10-agent.wav"))[:40_000]


def encoded(path: Path, codec: str, rate: int = 8_000) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate, layout="stereo")
        assert isinstance(stream, av.AudioStream)
        pcm = np.stack([LEFT, RIGHT], axis=1).reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(pcm, format="s16", layout="stereo")
        frame.sample_rate = 8_000
        resampler = av.AudioResampler(format=stream.format, layout="stereo", rate=rate, frame_size=1152)
        for part in (*resampler.resample(frame), *resampler.resample(None)):
            container.mux(stream.encode(part))
        container.mux(stream.encode(None))
    return path


def test_a_law_in_wav_is_exact() -> None:
    audio = read_audio(CALLS / "d10-caller.wav")
    assert (audio.rate, len(audio.channels)) == (8_000, 1)
    assert np.array_equal(audio.channels[0], decode(alaw_of(CALLS / "d10-caller.wav")))
    assert audio.duration == pytest.approx(audio.channels[0].size / 8_000)


def test_headerless_a_law_is_exact(tmp_path: Path) -> None:
    (tmp_path / "x.alaw").write_bytes(alaw_of(CALLS / "d10-caller.wav"))
    audio = read_audio(tmp_path / "x.alaw")
    assert np.array_equal(audio.channels[0], decode(alaw_of(CALLS / "d10-caller.wav")))


def test_stereo_comes_apart(tmp_path: Path) -> None:
    with wave.open(str(tmp_path / "x.wav"), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(8_000)
        file.writeframes(np.stack([LEFT, RIGHT], axis=1).astype("<i2").tobytes())
    left, right = read_audio(tmp_path / "x.wav").channels
    assert np.array_equal(left, LEFT)
    assert np.array_equal(right, RIGHT)


@pytest.mark.parametrize(("name", "codec", "rate"), [("x.flac", "flac", 8_000), ("x.mp3", "mp3", 16_000)])
def test_compressed_sound(tmp_path: Path, name: str, codec: str, rate: int) -> None:
    audio = read_audio(encoded(tmp_path / name, codec, rate))
    assert audio.rate == rate
    assert audio.duration == pytest.approx(5.0, abs=0.2)
    left, right = audio.channels
    assert np.corrcoef(np.abs(left[: right.size]), np.abs(right))[0, 1] < 0.5, "the voices stay apart"
    if codec == "flac":
        assert np.array_equal(left, LEFT)


@pytest.mark.parametrize("content", [b"", b"no sound at all, only words"])
def test_what_is_no_sound_is_said(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.wav").write_bytes(content)
    with pytest.raises(AudioError, match=r"x\.wav"):
        read_audio(tmp_path / "x.wav")


def test_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(AudioError, match="No such file"):
        read_audio(tmp_path / "none.wav")
