"""History, audio and exports over real sockets and both databases: who gets what, and what is noted."""

import csv
import io
import json
import wave
import zipfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote
from xml.etree import ElementTree

import aiohttp
import numpy as np
import pytest
from argon2 import PasswordHasher
from msgspec import Struct, structs

from agents.accounts.identity import Role
from agents.accounts.passwords import Passwords
from agents.accounts.service import AccountService
from domain import facts as f
from domain.calls import Call, Conversation, EndReason, Party
from domain.figures import AgentFigures, QueueFigures
from domain.lines import Line
from domain.orders import OrderState
from domain.queues import AgentState, AgentStatus
from domain.recordings import StoredRecording
from gateway.settings import PbxSettings
from gateway.storage.accounts import AccountRepository
from gateway.storage.calls import CallRepository
from gateway.storage.command_log import CommandRepository
from gateway.storage.database import Database
from gateway.storage.history import HistoryRepository
from gateway.storage.journal import JournalWriter
from gateway.storage.orders import OrderRepository
from gateway.stream.state import LiveView
from gateway.web.serve import serve_web
from recordings.pcm import RATE
from recordings.service import RecordingService
from recordings.takeover import Archive
from tests.support.databases import put_order
from tests.support.recordings import ramp, write_legs, write_wav
from tests.support.samples import call, order, said
from tests.support.web import WebServices, create_app

PASSWORD = "correct-horse"
LINES = (
    Line(id="12345", name="便民热线", numbers=(), queue="q12345"),
    Line(id="yiqilai", name="一企来", numbers=(), queue="yiqilai", timezone="Europe/London"),
)
SPOKEN = "=cmd|' /C calc'!A0"
WINTER = 1_767_323_045.0
"""2026-01-02 11:04:05 in Shanghai, 03:04:05 in London."""


class House(Struct):
    http: aiohttp.ClientSession
    url: str
    accounts: AccountService
    audit: CommandRepository
    archive: Archive
    spool: Path
    calls: CallRepository
    headers: dict[str, str] = {}

    async def as_(self, username: str) -> "House":
        done = await self.accounts.login(username, PASSWORD, "test")
        return structs.replace(self, headers={"Cookie": f"hotline_session={done.token}"})

    async def get(self, path: str, method: str = "GET", **headers: str) -> tuple[int, Any, bytes]:
        async with self.http.request(
            method, f"{self.url}/api/v1/{path}", headers=self.headers | headers
        ) as response:
            return response.status, response.headers, await response.read()

    async def found(self, path: str) -> Any:
        status, _, body = await self.get(path)
        assert status == 200, body
        return json.loads(body)

    async def noted(self) -> list[tuple[str, str, Any]]:
        entries = await self.audit.list_audit()
        return [(one.username, one.name, json.loads(one.args)) for one in reversed(entries)]


def the_calls() -> list[Call]:
    return [
        structs.replace(call(1, WINTER, caller=Party("+8613900000001", SPOKEN))),
        call(2, WINTER + 1, line="yiqilai", agent=None, conversations=(), answered_at=None, recordings=(),
             end_reason=EndReason.ABANDONED_QUEUE),
        call(3, WINTER + 2, agent="1002",
             conversations=(Conversation("1002", "PJSIP/1002-1", WINTER + 20, WINTER + 60),)),
    ]  # fmt: skip


@pytest.fixture
async def house(database: Database, tmp_path: Path) -> AsyncIterator[House]:
    async with opened(database, tmp_path) as it:
        yield it


@asynccontextmanager
async def opened(database: Database, tmp_path: Path, **more: Any) -> AsyncIterator[House]:
    calls, store = CallRepository(database), AccountRepository(database)
    cheap = Passwords(PasswordHasher(time_cost=1, memory_cost=64, parallelism=1))
    accounts = AccountService(store, store, passwords=cheap)
    await accounts.create_account("zhang", PASSWORD, Role.AGENT, "1001")
    await accounts.create_account("nobody", PASSWORD, Role.AGENT, None)
    await accounts.create_account("ban", PASSWORD, Role.SUPERVISOR, None)
    archive = Archive(tmp_path / "archive")
    archive.directory.mkdir()
    pbx = PbxSettings(name="main", recordings_prefix="/rec", recordings_dir=tmp_path / "spool")
    pbx.recordings_dir.mkdir()
    view = LiveView()
    audit = CommandRepository(database)
    made = the_calls()
    async with JournalWriter(database) as journal:
        for one in made:
            journal.put(f.CallEnded(at=one.started_at + 120, call=one))
        journal.put(said(made[0], 16.0, "人民路的路灯坏了"))
        filled = order(made[0], 1, title=SPOKEN, town="刘桥镇", urgent=True, keywords=["路灯", "照明"])
        journal.put(f.OrderChanged(at=WINTER, order=filled, changed=()))
    orders = OrderRepository(database)
    await put_order(database, order(made[2], 2, OrderState.SUBMITTED, title="井盖"), {"main": b"{}"}, WINTER)
    agent = AgentStatus("1001", "@王芳", "PJSIP/1001", AgentState.PAUSED, WINTER, reason="小休")
    view.apply(f.AgentChanged(at=WINTER, agent=agent))
    view.apply(f.AgentFiguresChanged(at=WINTER, figures=AgentFigures("1001", WINTER, taken=7, talk_s=61.4)))
    day = QueueFigures(
        pbx="main",
        queue="q12345",
        line="12345",
        start=WINTER,
        end=WINTER + 900,
        interval=None,
        offered=9,
        service_level=0.875,
    )
    view.apply(f.QueueFiguresChanged(at=WINTER, figures=day))
    services = WebServices(
        accounts=accounts, live=view, orders=orders, calls=calls, deliveries=None, audit=audit,
        history=HistoryRepository(database), lines=LINES,
        audio=RecordingService({"main": pbx}, archive, calls),
        field_labels={"title": "标题", "town": "镇街", "urgent": "紧急", "keywords": "关键词"},
    )  # fmt: skip
    async with (
        serve_web(create_app(replace(services, **more)), "127.0.0.1", 0) as port,
        aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as http,
    ):
        url = f"http://127.0.0.1:{port}"
        yield House(http, url, accounts, audit, archive, pbx.recordings_dir, calls)


def numbers(page: Any) -> list[str]:
    return [one["id"].removeprefix("main-").removesuffix(".1") for one in page["items"]]


async def test_history_is_filtered_paged_and_ones_own(house: House) -> None:
    ban, zhang, nobody = await house.as_("ban"), await house.as_("zhang"), await house.as_("nobody")
    page = await ban.found("history/calls?limit=2")
    assert numbers(page) == ["3", "2"]
    rest = await ban.found(f"history/calls?limit=2&before={quote(page['next'])}")
    assert (numbers(rest), rest["next"]) == (["1"], None)
    shown = {"id": order(the_calls()[0], 1).id, "title": SPOKEN, "state": "draft", "outcome": None}
    assert rest["items"][0]["order"] == shown
    for path, found in {
        "calls?q=" + quote("路灯"): ["1"],
        f"calls?from={WINTER + 1}&to={WINTER + 2}": ["2"],
        "calls?end_reason=abandoned_queue&line=yiqilai": ["2"],
        "calls?agent=1002": ["3"],
        "calls?number=" + quote("+86139"): ["3", "2", "1"],
    }.items():
        assert numbers(await ban.found(f"history/{path}")) == found, path
    assert numbers(await zhang.found("history/calls")) == ["1"]
    assert numbers(await zhang.found("history/calls?agent=1002")) == []
    assert numbers(await nobody.found("history/calls")) == []
    orders = await ban.found("history/orders")
    assert [(one["title"], one["agent"], one["urgent"]) for one in orders["items"]] == [
        ("井盖", "1002", False),
        (SPOKEN, "1001", True),
    ]
    assert len((await zhang.found("history/orders"))["items"]) == 1
    assert len((await ban.found("history/orders?state=submitted"))["items"]) == 1
    for bad in (
        "calls?before=x",
        "calls?end_reason=none",
        "calls?limit=1000",
        "orders?from=soon",
        "orders?state=x",
    ):
        assert (await ban.get(f"history/{bad}"))[0] == 422, bad
    assert await house.noted() == []


async def put_recording(house: House, number: int) -> str:
    write_wav(house.archive.directory / f"{number}.wav", ramp(10.0))
    one = StoredRecording(
        f"main-{number}.1/0", f"main-{number}.1", f"{number}.wav", "0" * 64, 320044, 10.0, 2.0, 0.0
    )
    await house.calls.add_recording(one)
    return one.id


async def test_a_recording_is_heard_in_pieces_and_noted_once(house: House) -> None:
    first, third = await put_recording(house, 1), await put_recording(house, 3)
    ban, zhang = await house.as_("ban"), await house.as_("zhang")
    detail = await zhang.found("calls/main-1.1")
    assert detail["recordings"] == [{"id": first, "duration": 10.0, "offset": 2.0}]
    assert [one["call_id"] for one in detail["orders"]] == ["main-1.1"]
    whole = (house.archive.directory / "1.wav").read_bytes()
    for identity in (first, quote(first, safe="")):
        status, headers, body = await zhang.get(f"recordings/{identity}/audio")
        assert (status, body, headers["Content-Type"]) == (200, whole, "audio/wav")
        assert headers["Accept-Ranges"] == "bytes"
    status, headers, body = await zhang.get(f"recordings/{first}/audio", Range="bytes=44-143")
    assert (status, body) == (206, whole[44:144])
    assert headers["Content-Range"] == f"bytes 44-143/{len(whole)}"
    assert (await zhang.get(f"recordings/{first}/audio", Range=f"bytes={len(whole)}-"))[0] == 416
    status, headers, body = await zhang.get(f"recordings/{first}/audio", method="HEAD")
    assert (status, headers["Content-Length"], body) == (200, str(len(whole)), b"")
    outline = await zhang.found(f"recordings/{first}/peaks?points=5")
    assert (outline["duration"], len(outline["caller"]), len(outline["agent"])) == (10.0, 5, 5)
    for path in (
        f"recordings/{third}/audio",
        f"recordings/{third}/peaks",
        "recordings/x/audio",
        "calls/main-3.1",
    ):
        assert (await zhang.get(path))[0] == 404, path
    assert (await ban.get(f"recordings/{third}/audio", Range="bytes=99-"))[0] == 206
    (house.archive.directory / "3.wav").unlink()
    for what in ("audio", "peaks"):
        status, _, body = await ban.get(f"recordings/{third}/{what}")
        assert (status, "no longer in the archive" in body.decode()) == (404, True)
    assert await house.noted() == [
        ("zhang", "recording.listen", {"recording": first, "call": "main-1.1"}),
        ("ban", "recording.listen", {"recording": third, "call": "main-3.1"}),
    ]


async def test_a_clip_comes_from_the_archive_or_the_pbx_and_is_noted(house: House) -> None:
    ban, zhang = await house.as_("ban"), await house.as_("zhang")
    write_legs(house.spool / "x.raw", ramp(6.0))  # not yet taken over: as the PBX left it

    async def clip(who: House, path: str) -> Any:
        status, headers, body = await who.get(path)
        if status != 200:
            return status
        with wave.open(io.BytesIO(body)) as file:
            heard = np.frombuffer(file.readframes(file.getnframes()), "<i2").reshape(-1, 2)
        return heard, float(headers["X-Clip-End"])

    heard, end = await clip(zhang, "calls/main-1.1/clip?from=1.5&to=3")
    assert end == 3.0
    assert np.array_equal(heard, ramp(6.0)[int(1.5 * RATE) : 3 * RATE])
    await put_recording(house, 1)
    heard, end = await clip(ban, "calls/main-1.1/clip?from=9&to=20")
    assert end == 12.0
    assert np.array_equal(heard, ramp(10.0)[7 * RATE :])
    for path, status in {
        "calls/main-1.1/clip?from=50&to=60": 404,
        "calls/main-2.1/clip?from=1&to=2": 404,
        "calls/main-1.1/clip?from=2&to=1": 422,
        "calls/main-1.1/clip?from=0&to=61": 422,
        "calls/main-1.1/clip?from=nan&to=1": 422,
        "calls/main-1.1/clip?from=0": 422,
    }.items():
        assert await clip(ban, path) == status, path
    assert await clip(zhang, "calls/main-3.1/clip?from=1&to=2") == 404
    assert await house.noted() == [
        ("zhang", "recording.clip", {"call": "main-1.1", "from": 1.5, "to": 3.0}),
        ("ban", "recording.clip", {"call": "main-1.1", "from": 9.0, "to": 20.0}),
    ]


async def table(house: House, path: str) -> list[dict[str, str]]:
    status, headers, body = await house.get(f"export/{path}")
    assert status == 200, body
    name = path.partition(".")[0]
    assert headers["Content-Disposition"].startswith(f'attachment; filename="{name}-')
    assert headers["Content-Type"] == "text/csv; charset=utf-8"
    assert headers["X-Row-Limit"] == "500000"
    assert body.startswith("\ufeff".encode())
    return list(csv.DictReader(io.StringIO(body.decode("utf-8-sig"), newline="")))


async def test_tables_are_exported_with_the_same_filters(house: House) -> None:
    ban = await house.as_("ban")
    rows = await table(ban, "calls.csv")
    assert [row["开始时间"] for row in rows] == [
        "2026-01-02 11:04:07",
        "2026-01-02 03:04:06",  # its line's wall clock
        "2026-01-02 11:04:05",
    ]
    assert [row["线路"] for row in rows] == ["便民热线", "一企来", "便民热线"]
    (row,) = await table(ban, "calls.csv?q=" + quote("路灯"))
    assert (row["主叫号码"], row["主叫名称"], row["工单标题"]) == (
        "'+8613900000001",
        f"'{SPOKEN}",
        f"'{SPOKEN}",
    )
    assert (row["坐席"], row["结束原因"], row["等待(秒)"], row["有录音"]) == (
        "'@王芳(1001)",
        "正常结束",
        "10",
        "是",
    )
    (row,) = await table(ban, "orders.csv?town=" + quote("刘桥镇"))
    assert (row["标题"], row["镇街"], row["紧急"], row["关键词"]) == (
        f"'{SPOKEN}",
        "刘桥镇",
        "是",
        "路灯、照明",
    )
    (row,) = await table(ban, "deliveries.csv?state=pending")
    assert (row["接收系统"], row["状态"], row["创建时间"]) == ("main", "待送达", "2026-01-02 11:04:05")
    (row,) = await table(ban, "agents.csv")
    assert (row["姓名"], row["状态"], row["接听"], row["通话(秒)"], row["占用率"]) == (
        "'@王芳",
        "置忙",
        "7",
        "61",
        "",
    )
    (row,) = await table(ban, "queues.csv")
    assert (row["线路"], row["范围"], row["来电"], row["服务水平"]) == ("便民热线", "当日", "9", "0.875")
    rows = await table(ban, "audit.csv?username=ban")
    assert [row["操作"] for row in rows] == [
        f"export.{name}" for name in ("audit", "queues", "agents", "deliveries", "orders", "calls", "calls")
    ]
    noted = await house.noted()
    assert noted[1] == ("ban", "export.calls", {"format": "csv", "filters": {"q": "路灯"}})


async def test_headers_and_words_follow_the_language(house: House) -> None:
    ban = await house.as_("ban")
    (row,) = await table(ban, "calls.csv?lang=en&end_reason=abandoned_queue")
    assert (row["Direction"], row["How it ended"], row["Recorded"]) == ("Inbound", "Gave up waiting", "No")
    # What the house has named itself stays as it is named.
    (row,) = await table(ban, "orders.csv?lang=en&town=" + quote("刘桥镇"))
    assert (row["State"], row["标题"], row["紧急"], row["关键词"]) == (
        "Draft",
        f"'{SPOKEN}",
        "Yes",
        "路灯, 照明",
    )
    (row,) = await table(ban, "agents.csv?lang=en")
    assert (row["State"], row["Pause reason"]) == ("Paused", "小休")
    (row,) = await table(ban, "queues.csv?lang=en")
    assert (row["Line"], row["Span"], row["Service level"]) == ("便民热线", "Day", "0.875")


async def test_a_spreadsheet_is_exported(house: House) -> None:
    ban = await house.as_("ban")
    status, headers, body = await ban.get("export/orders.xlsx")
    assert (status, len(body)) == (200, int(headers["Content-Length"]))
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        sheet = archive.read("xl/worksheets/sheet1.xml").decode()
    assert "<f>" not in sheet
    texts = [
        "".join(cell.itertext()) for cell in ElementTree.fromstring(sheet).iter() if cell.tag.endswith("}c")
    ]
    assert "工单编号" in texts
    assert SPOKEN in texts


async def test_exports_are_for_supervisors(house: House) -> None:
    zhang, ban = await house.as_("zhang"), await house.as_("ban")
    for name in (*("calls", "orders", "deliveries", "audit", "agents", "queues"), "places", "accounts"):
        assert (await zhang.get(f"export/{name}.csv"))[0] == 403, name
        assert (await house.get(f"export/{name}.csv"))[0] == 401, name
    assert (await ban.get("export/calls.pdf"))[0] == 422
    assert (await ban.get("export/secrets.csv"))[0] == 404
    assert (await ban.get("export/calls.csv?lang=fr"))[0] == 422
    for name in ("accounts", "endpoints"):
        assert (await ban.get(f"export/{name}.csv"))[0] == 403, name
    assert await house.noted() == []


async def test_the_row_limit_is_told(database: Database, tmp_path: Path) -> None:
    async with opened(database, tmp_path, export_rows=2) as house:
        ban = await house.as_("ban")
        _, headers, body = await ban.get("export/calls.csv")
        assert headers["X-Row-Limit"] == "2"
        lines = body.decode("utf-8-sig").splitlines()
        assert len(lines) == 4
        assert lines[-1] == "仅导出前 2 行，其余未导出：请缩小时间范围后分次导出"
        _, _, body = await ban.get(f"export/calls.csv?from={WINTER + 1}")
        assert len(body.decode("utf-8-sig").splitlines()) == 3
