"""`hotline orders …`, and what `hotline config check` says of mappings."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from domain.facts import CallEnded
from domain.orders import Order, OrderState
from gateway.cli import app
from gateway.storage.database import Database
from gateway.storage.journal import JournalWriter
from gateway.storage.outbox import SqlOutbox
from tests.support.databases import put_order
from tests.support.samples import call, order

RUNNER = CliRunner()
CONFIG = """
[database]
url = "{database}"
[[workorders]]
id = "tickets"
url = "https://tickets.example.cn/tracker/"
preset = "roundup"
sign = false
secret_files = {{ password = "password" }}
[[workorders]]
id = "main"
url = "https://orders.example.cn/"
secret_file = "password"
[[workorders]]
id = "own"
url = "https://own.example.cn/"
secret_file = "password"
mapping = "own.toml"
"""
OWN = """
secrets = ["token"]
headers = { authorization = "Bearer {{ secrets.token }}" }
[requests.order]
json = { area = "{{ fields.town | table('town') }}" }
[tables.town]
file = "town.tsv"
"""


@pytest.fixture
def config(tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Path:
    database_url = (
        request.getfixturevalue("database_url")
        if "kept" in request.fixturenames
        else "sqlite+aiosqlite:///none.db"
    )
    monkeypatch.setenv("HOTLINE_WORKORDERS_OWN_TOKEN", "hush-hush")
    path = tmp_path / "hotline.toml"
    path.write_text(CONFIG.format(database=database_url))
    (tmp_path / "password").write_text("a-long-password\n")
    (tmp_path / "own.toml").write_text(OWN)
    (tmp_path / "town.tsv").write_text("# ours\ttheirs\n刘桥镇\t17\n", encoding="utf-8")
    return path


@pytest.fixture
def kept(database_url: str) -> Iterator[Order]:
    """An order in the database that the tickets have got as number 42, and that was changed since."""
    of = call(1, 1_780_000_000.0)
    made = order(of, 1, OrderState.SUBMITTED, title="路灯不亮", summary="三天了", town="刘桥镇")

    async def put() -> None:
        database = Database(database_url)
        async with JournalWriter(database) as journal:
            journal.put(CallEnded(at=of.started_at + 120, call=of))
            await journal.flush()
        await put_order(database, made, {"tickets": b"{}"})
        outbox = SqlOutbox(database)
        (delivery,) = await outbox.claim("tickets", 60.0, 1)
        await outbox.delivered(delivery.id, 201, "42")
        await database.close()

    asyncio.run(put())
    yield made


def preview(config: Path, order_id: str, endpoint: str) -> tuple[int, str]:
    answer = RUNNER.invoke(app, ["orders", "preview", order_id, "--endpoint", endpoint, "-c", str(config)])
    return answer.exit_code, answer.output


def test_preview_of_an_order_that_is_there_shows_its_update_with_secrets_masked(
    config: Path, kept: Order
) -> None:
    code, text = preview(config, kept.id, "tickets")
    assert code == 0, text
    assert "POST https://tickets.example.cn/tracker/rest/data/msg\n" in text
    assert "PUT https://tickets.example.cn/tracker/rest/data/issue/42\n" in text
    assert "if-match: <etag of current>" in text
    assert '"title": "路灯不亮"' in text
    assert "a-long-password" not in text
    assert "webhook" not in text


def test_preview_of_a_new_order_shows_what_would_create_it(config: Path, kept: Order) -> None:
    code, text = preview(config, kept.id, "own")
    assert (code, "hush" in text) == (0, False), text
    assert "authorization: Bearer ********" in text
    assert f"webhook-id: {kept.id}.{kept.revision}\n" in text
    head, _, body = text.partition("\n\n")
    assert head.startswith("POST https://own.example.cn/\n")
    assert json.loads(body) == {"area": "17"}
    code, text = preview(config, kept.id, "main")
    document = json.loads(text.partition("\n\n")[2])
    assert (document["schema"], document["fields"]["town"]["value"]) == ("hotline-order/1", "刘桥镇")


def test_preview_names_what_fails_and_the_fix(config: Path, kept: Order) -> None:
    (config.parent / "town.tsv").write_text("五接镇\t18\n", encoding="utf-8")
    code, text = preview(config, kept.id, "own")
    assert code == 1
    assert "requests.order.json.area finds no code for 刘桥镇; add it to [tables.town]" in " ".join(
        text.split()
    )
    assert preview(config, "nothing", "own")[0] == 1
    code, text = preview(config, kept.id, "elsewhere")
    assert (code, "known: tickets, main, own" in text) == (2, True)


def test_check_tries_every_mapping_and_names_endpoint_field_and_fix(config: Path) -> None:
    answer = RUNNER.invoke(app, ["config", "check", "-c", str(config)])
    assert answer.exit_code == 2, "an order may lack its town"
    told = " ".join(answer.output.split())
    assert "workorders.2 (own): not sent, for the mapping at requests.order.json.area needs" in told
    assert "give it a default" in told
    own = config.parent / "own.toml"
    own.write_text(OWN.replace("fields.town", "fields.town | default('刘桥镇')"))
    answer = RUNNER.invoke(app, ["config", "check", "-c", str(config)])
    assert answer.exit_code == 0, answer.output


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (
            '"Bearer {{ secrets.token }}"',
            '"Bearer abc"',
            "headers.authorization: a secret must not be in this file",
        ),
        (
            '["token"]',
            '["token", "pin"]',
            "no secret pin: set secret_files.pin, or HOTLINE_WORKORDERS_OWN_PIN",
        ),
        ("town.tsv", "towns.tsv", "tables.town.file"),
        ("[requests.order]", "[requests.order", "own.toml: not valid TOML"),
        ("table('town')", "tabel('town')", "requests.order.json.area: No filter named 'tabel'"),
    ],
)
def test_check_names_what_is_written_wrongly(config: Path, old: str, new: str, words: str) -> None:
    own = config.parent / "own.toml"
    own.write_text(OWN.replace(old, new), encoding="utf-8")
    answer = RUNNER.invoke(app, ["config", "check", "-c", str(config)])
    assert answer.exit_code == 2
    assert words in " ".join(answer.output.split())
    assert "abc" not in answer.output
    assert "hush" not in answer.output


def test_secrets_in_the_configuration_are_refused_and_templates_shown(tmp_path: Path) -> None:
    path = tmp_path / "hotline.toml"
    start = '[[workorders]]\nid = "a"\nurl = "https://a.example.cn/"\n'
    start += "[workorders.mapping.requests.order]\njson = {}\n"
    path.write_text(start + 'headers = { Authorization = "Bearer 123" }\n')
    answer = RUNNER.invoke(app, ["config", "show", "-c", str(path)])
    assert answer.exit_code == 2
    assert "Authorization: secrets must not be in this file" in answer.output
    path.write_text(start + 'url = "{{ base }}/x"\nheaders = { Authorization = "Bearer {{ secrets.a }}" }\n')
    answer = RUNNER.invoke(app, ["config", "show", "-c", str(path)])
    shown = json.loads(answer.output)["workorders"][0]["mapping"]["requests"]["order"]
    assert shown["url"] == "{{ base }}/x"


def test_an_unknown_preset_names_those_there_are(tmp_path: Path) -> None:
    path = tmp_path / "hotline.toml"
    path.write_text('[[workorders]]\nid = "a"\nurl = "https://a.example.cn/"\npreset = "zamad"\n')
    answer = RUNNER.invoke(app, ["config", "check", "-c", str(path)])
    assert answer.exit_code == 2
    assert (
        "'zamad' is no preset; there are cloudevents, form, hotline, request-tracker, roundup, zammad"
        in " ".join(answer.output.split())
    )


def test_schema_and_presets_are_printed() -> None:
    schema = json.loads(RUNNER.invoke(app, ["orders", "schema"]).output)
    assert schema["$id"] == "hotline-order/1"
    text = RUNNER.invoke(app, ["orders", "presets"]).output
    assert [line.split()[0] for line in text.splitlines()] == [
        "cloudevents", "form", "hotline", "request-tracker", "roundup", "zammad",
    ]  # fmt: skip
