"""Playing back: outlines that are worked out once, clips that hold exactly the seconds asked for."""

import io
import os
import wave
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from recordings.pcm import RATE
from recordings.playback import PEAKS_SUFFIX, Clip, Source, cut, peaks, reached
from tests.support.recordings import ramp, write_legs, write_wav


def frames_of(clip: Clip | None) -> npt.NDArray[np.int16]:
    assert clip is not None
    with wave.open(io.BytesIO(clip.wav)) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (2, 2, RATE)
        frames = np.frombuffer(file.readframes(file.getnframes()), "<i2").reshape(-1, 2)
    assert len(frames) == round((clip.end - clip.start) * RATE)
    return frames


def test_the_outline_has_the_loudest_of_each_span(tmp_path: Path) -> None:
    frames = np.zeros((4 * RATE, 2), "<i2")
    frames[RATE // 2, 0] = -32768
    frames[3 * RATE + 5, 1] = 16384
    outline = peaks(write_wav(tmp_path / "a.wav", frames), 4)
    assert outline.duration == 4.0
    assert outline.caller == [1.0, 0.0, 0.0, 0.0]
    assert outline.agent == [0.0, 0.0, 0.0, 0.5]


@pytest.mark.parametrize(
    ("seconds", "points", "expected"), [(1.0, 4000, 20), (61.3, 7, 7), (0.01, 3, 1), (0.0, 9, 0)]
)
def test_no_more_points_than_there_is_sound(
    tmp_path: Path, seconds: float, points: int, expected: int
) -> None:
    outline = peaks(write_wav(tmp_path / "a.wav", ramp(seconds)), points)
    assert len(outline.caller) == len(outline.agent) == expected
    assert all(0 <= point <= 1 for point in outline.caller)


def test_the_outline_is_kept_and_a_newer_file_or_a_broken_one_makes_it_anew(tmp_path: Path) -> None:
    path = write_wav(tmp_path / "a.wav", ramp(70.0))
    first = peaks(path, 100)
    kept = path.with_suffix(PEAKS_SUFFIX)
    made = np.load(kept)
    np.save(kept, np.full_like(made, 32768))
    assert peaks(path, 100).caller == [1.0] * 100  # from the file beside it
    kept.write_bytes(b"broken")
    assert peaks(path, 100) == first
    np.save(kept, np.full_like(made, 32768))
    later = kept.stat().st_mtime + 10
    os.utime(path, (later, later))
    assert peaks(path, 100) == first
    assert sorted(one.name for one in tmp_path.iterdir()) == ["a.peaks.npy", "a.wav"]


def test_what_is_no_recording_of_ours_is_refused(tmp_path: Path) -> None:
    with wave.open(str(tmp_path / "mono.wav"), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
    with pytest.raises(ValueError, match="expected 16-bit stereo"):
        peaks(tmp_path / "mono.wav", 10)


def test_a_clip_holds_exactly_what_was_asked(tmp_path: Path) -> None:
    frames = ramp(10.0)
    wav = Source(2.0, wav=write_wav(tmp_path / "a.wav", frames))
    raw = Source(2.0, raw=write_legs(tmp_path / "b.raw", frames))
    (tmp_path / "c.raw").write_bytes(frames.tobytes())
    both = Source(2.0, raw=tmp_path / "c.raw")
    for source in (wav, raw, both):
        assert reached(source) == pytest.approx(12.0, abs=0.01)
        clip = cut([source], 5.0, 7.5)
        assert np.array_equal(frames_of(clip), frames[3 * RATE : int(5.5 * RATE)])
        early = frames_of(cut([source], 1.0, 3.0))
        assert not early[:RATE].any()
        assert np.array_equal(early[RATE:], frames[:RATE])
        late = cut([source], 11.5, 20.0)
        assert late is not None
        assert (late.start, late.end) == (11.5, 12.0)
        assert np.array_equal(frames_of(late), frames[int(9.5 * RATE) :])
        for nothing in ((12.0, 13.0), (0.0, 2.0), (500.0, 510.0)):
            assert cut([source], *nothing) is None


def test_a_clip_goes_over_from_one_recording_to_the_next(tmp_path: Path) -> None:
    frames = ramp(2.0)
    first = Source(0.0, wav=write_wav(tmp_path / "a.wav", frames))
    second = Source(3.0, raw=write_legs(tmp_path / "b.raw", frames))
    clip = frames_of(cut([first, second], 1.0, 4.0))
    assert np.array_equal(clip[:RATE], frames[RATE:])
    assert not clip[RATE : 2 * RATE].any()
    assert np.array_equal(clip[2 * RATE :], frames[:RATE])


def test_a_growing_recording_is_read_as_far_as_it_is(tmp_path: Path) -> None:
    frames = ramp(3.0)
    pair = write_legs(tmp_path / "a.raw", frames)
    tx = tmp_path / "a-tx.raw"
    tx.write_bytes(tx.read_bytes()[: 2 * RATE * 2 + 1])  # one leg behind, half a sample written
    source = Source(0.0, raw=pair, growing=True)
    assert reached(source) == 2.0
    clip = frames_of(cut([source], 1.0, 5.0))
    assert np.array_equal(clip[:, 0], frames[RATE:, 0])
    assert np.array_equal(clip[:RATE, 1], frames[RATE : 2 * RATE, 1])
    assert not clip[RATE:, 1].any()


def test_files_that_are_not_there_are_silence(tmp_path: Path) -> None:
    gone = Source(1.0, raw=tmp_path / "gone.raw")
    assert reached(gone) == 1.0
    assert cut([gone, Source(0.0, wav=tmp_path / "gone.wav")], 0.0, 5.0) is None
    assert cut([], 0.0, 5.0) is None
