"""Prompts of one's own lines, spoken."""

import shutil
from pathlib import Path

import numpy as np

from domain.lines import Line
from ivr.prompts.render import provide
from tests.support.machine import absent

OWN = Line(id="yulao", name="养老服务", numbers=("12349",), queue="yulao", digit="3")


def test_a_line_of_ones_own_is_spoken_and_a_recording_stays(tmp_path: Path) -> None:
    if shutil.which("espeak-ng") is None:
        absent("ESPEAK-NG", "install the package espeak-ng")
    written, problems = provide(tmp_path, [OWN])
    spoken = tmp_path / "hotline" / "line-yulao.sln"
    assert problems == []
    assert spoken in written
    samples = np.frombuffer(spoken.read_bytes(), "<i2")
    assert 0.5 < samples.size / 8000 < 4
    assert np.abs(samples.astype(int)).max() > 15000
    spoken.write_bytes(b"\1\0" * 800)
    assert provide(tmp_path, [OWN]) == ([], [])
    assert spoken.read_bytes() == b"\1\0" * 800
