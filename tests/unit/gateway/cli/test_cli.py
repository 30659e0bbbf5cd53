"""The commands as users type them."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from gateway.cli import app
from gateway.settings.load import EXAMPLE
from gateway.storage.database import newest_revision

RUNNER = CliRunner()


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "hotline.toml"
    path.write_text(EXAMPLE.read_text(encoding="utf-8"), encoding="utf-8")
    (tmp_path / "ami.secret").write_text("a-long-secret\n")
    (tmp_path / "workorders.secret").write_text("another-secret\n")
    return path


def test_help_teaches() -> None:
    text = RUNNER.invoke(app, ["--help"]).output
    for command in ("run", "demo", "doctor", "config", "db", "deploy", "asr"):
        assert command in text


def test_config_check_and_show(config: Path) -> None:
    good = RUNNER.invoke(app, ["config", "check", "-c", str(config)])
    assert (good.exit_code, "3 lines" in good.output) == (0, True)
    shown = RUNNER.invoke(app, ["config", "show", "-c", str(config)])
    assert json.loads(shown.output)["lines"][1]["name"] == "一企来"
    assert "a-long-secret" not in shown.output
    (config.parent / "ami.secret").unlink()
    bad = RUNNER.invoke(app, ["config", "check", "-c", str(config)])
    assert bad.exit_code == 2
    assert "ami.secret" in bad.output


@pytest.mark.parametrize(
    ("secret", "fix"), [("\n", "put the one shared"), ("whsec_no base64!\n", "copy it anew")]
)
def test_a_secret_that_cannot_sign_is_told_by_check_with_the_fix(config: Path, secret: str, fix: str) -> None:
    (config.parent / "workorders.secret").write_text(secret)
    bad = RUNNER.invoke(app, ["config", "check", "-c", str(config)])
    assert bad.exit_code == 2
    told = " ".join(bad.output.split())
    assert "workorders.0 (main): " in told
    assert fix in told
    assert "base64!" not in told
    (config.parent / "workorders.secret").write_text("v1,whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS\n")
    assert RUNNER.invoke(app, ["config", "check", "-c", str(config)]).exit_code == 0


def test_a_faulty_data_file_is_told_by_check_and_by_run(tmp_path: Path) -> None:
    (tmp_path / "places.tsv").write_text("town\tvillage\n\t金霞社区\n", encoding="utf-8")
    path = tmp_path / "hotline.toml"
    path.write_text('[reference]\nplaces = "places.tsv"\nknowledge = "none"\n[asr]\nengine = "none"\n')
    answer = RUNNER.invoke(app, ["config", "check", "-c", str(path)])
    assert answer.exit_code == 2
    assert "places.tsv:2: the town is empty" in answer.output
    assert "no such folder" in answer.output
    answer = RUNNER.invoke(app, ["run", "--pbx", "demo", "-c", str(path)])
    assert answer.exit_code == 2
    assert "places.tsv:2" in answer.output


def test_a_wrong_file_is_exit_code_two_with_key_value_and_fix(tmp_path: Path) -> None:
    path = tmp_path / "hotline.toml"
    path.write_text("[http]\nport = 70000\n")
    answer = RUNNER.invoke(app, ["doctor", "-c", str(path)])
    assert answer.exit_code == 2
    assert "http.port = 70000" in answer.output


def test_db_upgrade_may_be_repeated(config: Path) -> None:
    first = RUNNER.invoke(app, ["db", "upgrade", "-c", str(config)])
    second = RUNNER.invoke(app, ["db", "upgrade", "-c", str(config)])
    assert f"upgraded from nothing to {newest_revision()}" in first.output
    assert f"already at {newest_revision()}" in second.output


def test_deploy_asterisk_keeps_phone_passwords(config: Path, tmp_path: Path) -> None:
    target = tmp_path / "etc"
    for _ in range(2):
        answer = RUNNER.invoke(app, ["deploy", "asterisk", str(target), "-c", str(config)])
        assert answer.exit_code == 0, answer.output
    kept = dict(line.split("\t") for line in (target / "phones.secret").read_text().splitlines())
    assert set(kept) == {"1001", "1002", "1003"}
    assert all(password in (target / "pjsip.conf").read_text() for password in kept.values())


def test_doctor_says_the_fix(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.doctor.LOGIN_S", 0.5)
    text = config.read_text(encoding="utf-8").replace("port = 5038", "port = 9")
    text = text.replace("https://workorders.example.cn/api/hotline/orders", "http://127.0.0.1:9/orders")
    config.write_text(text.replace("[asr]", '[asr]\nmodel = "/nowhere/model"'), encoding="utf-8")
    answer = RUNNER.invoke(app, ["doctor", "-c", str(config)])
    assert answer.exit_code == 1
    assert "/nowhere/model contains no model.bin" in answer.output
    assert "PBX main: login" in answer.output
    assert "manager.conf" in answer.output
    assert "work orders to main" in answer.output
    assert answer.output.count("fix:") >= 3
