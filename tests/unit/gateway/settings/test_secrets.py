"""A secret per PBX and endpoint from a variable of its own."""

from pathlib import Path

import pytest

from gateway.settings import load_settings

FILE = """
[[pbx]]
name = "main-1"
secret_file = "none.secret"

[[workorders]]
id = "city"
url = "https://orders.example/"
"""


def test_variable_wins_over_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "hotline.toml"
    path.write_text(FILE)
    monkeypatch.setenv("HOTLINE_PBX_MAIN_1_SECRET", "from-environment")
    settings = load_settings(path)
    assert settings.pbx[0].read_secret() == "from-environment"
    assert "from-environment" not in repr(settings)
    with pytest.raises(ValueError, match="HOTLINE_WORKORDERS_CITY_SECRET"):
        settings.workorders[0].read_secret()
    monkeypatch.setenv("HOTLINE_WORKORDERS_CITY_SECRET", "other")
    assert load_settings(path).workorders[0].read_secret() == "other"
