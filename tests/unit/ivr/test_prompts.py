"""Prompts of one's own lines."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from gateway.models.line import Line
from ivr.prompts.render import PromptError, provide, render

OWN = Line(id="yulao", name="养老服务", numbers=("12349",), queue="yulao", digit="3")


@pytest.mark.skipif(shutil.which("espeak-ng") is None, reason="needs espeak-ng")
def test_a_line_of_ones_own_is_spoken_and_a_recording_stays(tmp_path: Path) -> None:
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


def test_without_a_voice_the_mend_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(PromptError, match="install espeak-ng, or record it"):
        render("养老服务")
    _, problems = provide(tmp_path, [OWN])
    assert len(problems) == 1
    assert "line-yulao" in problems[0]
