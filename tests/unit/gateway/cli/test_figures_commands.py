"""`hotline figures rebuild` and `hotline report` on a real database."""

import asyncio
import csv
import json
import random
from datetime import date
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import delete
from typer.testing import CliRunner, Result

from domain.reports.periods import midnight
from gateway.cli import app
from gateway.factories import open_database
from gateway.settings import load_settings
from gateway.storage.figure_tables import figures
from tests.support.figures import a_day, tell

RUNNER = CliRunner()
BEGIN = midnight(date(2026, 1, 2), ZoneInfo("Asia/Shanghai"))


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "hotline.toml"
    path.write_text(
        'data_dir = "data"\n[[lines]]\nid = "12345"\nname = "便民热线"\nqueue = "q12345"\n', encoding="utf-8"
    )

    async def fill() -> None:
        database = open_database(load_settings(path))
        await database.upgrade()
        await tell(database, a_day(random.Random(5), BEGIN, 30, 0))
        await database.close()

    asyncio.run(fill())
    return path


def run(config: Path, *words: str) -> Result:
    return RUNNER.invoke(app, [*words, "-c", str(config)])


DAYS = ("--from", "2026-01-01", "--to", "2026-01-31")


def test_a_report_is_the_same_after_everything_was_counted_anew(config: Path) -> None:
    before = run(config, "report", *DAYS, "--by", "agent", "--format", "json")
    assert before.exit_code == 0, before.output
    assert json.loads(before.stdout)["total"]["counts"]["calls"] > 20

    async def spoil() -> None:
        database = open_database(load_settings(config))
        async with database.writing() as connection:
            await connection.execute(delete(figures))
        await database.close()

    asyncio.run(spoil())
    spoilt = run(config, "report", *DAYS, "--by", "agent", "--format", "json")
    assert spoilt.stdout != before.stdout
    done = run(config, "figures", "rebuild", *DAYS)
    assert done.exit_code == 0 and done.stdout.startswith("counted 31 days anew in ")
    assert run(config, "report", *DAYS, "--by", "agent", "--format", "json").stdout == before.stdout


@pytest.mark.parametrize("form", ["csv", "html", "xlsx", "json"])
def test_it_is_written_in_each_form(config: Path, tmp_path: Path, form: str) -> None:
    file = tmp_path / f"report.{form}"
    done = run(config, "report", *DAYS, "--by", "line", "--format", form, "-o", str(file))
    assert done.exit_code == 0, done.output
    body = file.read_bytes()
    if form == "csv":
        rows = list(csv.reader(body.decode("utf-8-sig").splitlines()))
        assert {row[0] for row in rows} == {"线路", "便民热线", "yiqilai", "合计"}
    elif form == "html":
        assert "便民热线" in body.decode() and body.startswith(b"<!doctype html>")
    elif form == "xlsx":
        assert body.startswith(b"PK")
    else:
        assert {row["key"] for row in json.loads(body)["rows"]} == {"12345", "yiqilai"}


def test_what_is_wrong_is_said(config: Path, tmp_path: Path) -> None:
    assert run(config, "report", "--from", "2026-02-01", "--to", "2026-01-01").exit_code == 2
    assert (
        "earlier day first"
        in run(config, "figures", "rebuild", "--from", "2026-02-01", "--to", "2026-01-01").output
    )
    assert run(config, "report", "--from", "soon").exit_code == 2
    assert run(config, "report", "--by", "moon").exit_code == 2
    nowhere = run(config, "report", *DAYS, "-o", str(tmp_path / "none" / "file.csv"))
    assert nowhere.exit_code == 1 and "No such file" in nowhere.output
    assert "no line 1 is configured" in run(config, "report", *DAYS, "--line", "1").output
