"""Prompts for custom lines when no speech synthesiser is installed."""

from pathlib import Path

import pytest

from domain.lines import Line
from ivr.prompts.render import PromptError, provide, render

OWN = Line(id="yulao", name="养老服务", numbers=("12349",), queue="yulao", digit="3")


def test_without_a_voice_the_fix_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(PromptError, match="install espeak-ng, or record it"):
        render("养老服务")
    _, problems = provide(tmp_path, [OWN])
    assert len(problems) == 1
    assert "line-yulao" in problems[0]
