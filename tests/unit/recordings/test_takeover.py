"""Recordings taken over: complete, in the right place, under the right hash, or a reason why not."""

import asyncio
import hashlib
import os
import time
from pathlib import Path

import numpy as np
import pytest

from domain.calls import Side
from recordings.pcm import RATE, read_wav, rms_dbfs, split
from recordings.takeover import Archive, TakeoverError, local_path


def raw(seconds: float) -> tuple[np.ndarray, bytes]:
    time = np.arange(int(seconds * RATE)) / RATE
    frames = np.stack([np.sin(time * 2000) * 8000, np.sin(time * 3000) * 1000], axis=1).astype("<i2")
    return frames, frames.tobytes()


async def test_a_recording_becomes_a_wav_with_the_caller_left(tmp_path: Path) -> None:
    frames, data = raw(1.5)
    source = tmp_path / "1.raw"
    source.write_bytes(data + b"\x01")
    archive = Archive(tmp_path / "archive")
    taken = await archive.take(source, "main-17.1/../x", 0, 86400.0)
    assert taken.path == "1970/01/02/main-17.1_.._x-0.wav"
    assert taken.duration == 1.5
    file = archive.locate(taken.path)
    assert not file.exists()
    assert await archive.keep(taken.path, taken.sha256)
    assert hashlib.sha256(file.read_bytes()).hexdigest() == taken.sha256
    legs = read_wav(file)
    assert np.array_equal(legs[Side.CALLER], frames[:, 0])
    assert np.array_equal(legs[Side.AGENT], frames[:, 1])
    assert await archive.take(source, "main-17.1/../x", 0, 86400.0) == taken


async def test_two_legs_become_the_same_wav_and_the_shorter_is_filled(tmp_path: Path) -> None:
    frames, data = raw(12.5)
    (tmp_path / "one.raw").write_bytes(data)
    (tmp_path / "1795.7-rx.raw").write_bytes(frames[:, 0].tobytes() + b"\x01")
    (tmp_path / "1795.7-tx.raw").write_bytes(frames[:-80, 1].tobytes())
    archive = Archive(tmp_path / "archive")
    stereo = await archive.take(tmp_path / "one.raw", "c", 0, 0.0)
    legs = await archive.take(tmp_path / "1795.7.raw", "c", 1, 0.0)
    assert legs.duration == stereo.duration == 12.5
    assert await archive.keep(legs.path, legs.sha256)
    heard = read_wav(archive.locate(legs.path))
    assert np.array_equal(heard[Side.CALLER], frames[:, 0])
    assert np.array_equal(heard[Side.AGENT][:-80], frames[:-80, 1])
    assert not heard[Side.AGENT][-80:].any()


async def test_what_was_made_of_it_is_adopted_where_the_pbx_has_cleaned_up(tmp_path: Path) -> None:
    _, data = raw(1.0)
    source = tmp_path / "1.raw"
    source.write_bytes(data)
    taken = await Archive(tmp_path / "a").take(source, "main-1", 0, 0.0)
    source.unlink()
    archive = Archive(tmp_path / "a")
    assert await archive.left_half_way() == [taken.path]
    assert await archive.take(source, "main-1", 0, 0.0) == taken
    assert not await archive.keep(taken.path, "another's")
    assert await archive.keep(taken.path, taken.sha256)
    assert await archive.keep(taken.path, taken.sha256), "again"
    assert await archive.left_half_way() == []
    assert await archive.take(source, "main-1", 0, 0.0) == taken, "in its place, without a row"


async def test_a_half_written_file_goes_once_nobody_writes_it(tmp_path: Path) -> None:
    incoming = tmp_path / "a" / "incoming"
    incoming.mkdir(parents=True)
    for name, age in (("old", 7200), ("new", 1)):
        file = incoming / f"1970_01_01_{name}-0.wav.12ab.partial"
        file.touch()
        os.utime(file, (time.time() - age, time.time() - age))
    assert await Archive(tmp_path / "a").left_half_way() == []
    assert [file.name for file in incoming.iterdir()] == ["1970_01_01_new-0.wav.12ab.partial"]


async def test_a_full_disk_leaves_nothing_half_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "1.raw").write_bytes(raw(1.0)[1])

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("recordings.takeover.os.fsync", full)
    with pytest.raises(OSError, match="No space"):
        await Archive(tmp_path / "a").take(tmp_path / "1.raw", "c", 0, 0.0)
    assert not list((tmp_path / "a" / "incoming").iterdir())


async def test_one_leg_alone_is_not_a_recording(tmp_path: Path) -> None:
    (tmp_path / "1-rx.raw").write_bytes(bytes(800))
    with pytest.raises(TakeoverError, match="recordings_dir"):
        await Archive(tmp_path / "a").take(tmp_path / "1.raw", "c", 0, 0.0, deadline_s=0.2)


async def test_a_growing_file_is_waited_for(tmp_path: Path) -> None:
    _, data = raw(1.0)
    source = tmp_path / "1.raw"

    async def write() -> None:
        await asyncio.sleep(0.2)
        for part in range(4):
            with source.open("ab") as file:
                file.write(data[part * 8000 : (part + 1) * 8000])
            await asyncio.sleep(0.2)

    writer = asyncio.create_task(write())
    taken = await Archive(tmp_path / "a").take(source, "c", 0, 0.0)
    await writer
    assert taken.duration == 1.0


async def test_the_last_words_of_a_busy_pbx_are_waited_for(tmp_path: Path) -> None:
    """MixMonitor holds two seconds back; when the call is over it may be a while until it gets to run."""
    _, data = raw(3.0)
    source = tmp_path / "1.raw"
    source.write_bytes(data[: RATE * 4])

    async def write() -> None:
        await asyncio.sleep(1.5)
        source.write_bytes(data)

    writer = asyncio.create_task(write())
    taken = await Archive(tmp_path / "a").take(source, "c", 0, 0.0, expected_s=3.1)
    await writer
    assert taken.duration == 3.0


async def test_a_recording_that_stays_short_is_taken_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("recordings.takeover.STALLED_S", 0.7)
    (tmp_path / "1.raw").write_bytes(raw(1.0)[1])
    taken = await Archive(tmp_path / "a").take(tmp_path / "1.raw", "c", 0, 0.0, expected_s=60.0)
    assert taken.duration == 1.0


async def test_missing_and_empty_files_name_the_fix(tmp_path: Path) -> None:
    archive = Archive(tmp_path / "a")
    with pytest.raises(TakeoverError, match="recordings_dir"):
        await archive.take(tmp_path / "none.raw", "c", 0, 0.0, deadline_s=0.2)
    (tmp_path / "empty.raw").touch()
    with pytest.raises(TakeoverError, match="holds no audio"):
        await archive.take(tmp_path / "empty.raw", "c", 0, 0.0)


def test_the_pbx_names_no_file_outside_its_prefix() -> None:
    assert local_path("/spool/a/1.raw", "/spool", Path("/mnt")) == Path("/mnt/a/1.raw")
    for path in ("/etc/passwd", "/spool/../etc/passwd", "/spool/a/../../x"):
        with pytest.raises(TakeoverError):
            local_path(path, "/spool", Path("/mnt"))
    with pytest.raises(ValueError, match="not inside"):
        Archive(Path("/mnt")).locate("../etc/passwd")


def test_levels() -> None:
    assert rms_dbfs(np.zeros(10, dtype=np.int16)) == float("-inf")
    assert rms_dbfs(np.full(10, -32768, dtype=np.int16)) == 0.0
    assert split(b"\x01\x00\x02\x00\x03")[Side.AGENT].tolist() == [2]
