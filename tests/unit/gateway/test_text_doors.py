"""Texts of machines, through the real parts: cleaned at the door, so that everything behind it goes on.

What a PBX, an IVR session, a recogniser, a language model and a work-order system say reaches both databases;
no fact is set aside, and what comes afterwards is as ever.
"""

import asyncio
import json
import unicodedata
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np
import pytest
from aiohttp import web
from sqlalchemy import func, select

from agents.accounts.identity import Role
from asr.config import AsrConfig
from asr.pool import EnginePool
from asr.transcript import utterance
from domain.calls import EndReason, Side
from domain.facts import UtteranceHeard
from domain.orders import OrderState
from domain.transcripts import Source
from gateway.app import run_gateway
from gateway.modules.delivery import endpoint_of
from gateway.settings import PbxSettings
from gateway.settings.load import SettingsError, load_settings
from gateway.storage.calls import CallRepository
from gateway.storage.database import Database
from gateway.storage.journal import JournalWriter
from gateway.storage.outbox import SqlOutbox
from gateway.storage.tables import deliveries, rejected_facts
from ivr.agi import AgiError, AgiSession, FastAgiServer
from tests.support.ami_server import ScriptedAmi, message
from tests.support.at_the_desk import PASSWORD, settings
from tests.support.databases import put_order
from tests.support.dialogues import REFERENCE, dialogue
from tests.support.engines import HOSTILE
from tests.support.receiver import endpoint_settings
from tests.support.samples import call, order
from workorders.delivery.worker import DeliveryWorker
from workorders.extraction.language_model import LanguageModel

LONGEST = 4_000
BYTES = [
    b"a\0b", b"\xff\xfe", b"\xed\xa0\xbd", b"\x1b[31m", "\u202eevil".encode(), b"x" * 100_000,
    "\u2028".encode(),
    b"\x07\x08\x7f", b"'; DROP TABLE calls;--", "\ufdd0\uffff".encode(), b"=1+1", b"%s%n",
    b"9" * 400, "𠮷".encode(),
]  # fmt: skip


def is_plain(text: str) -> bool:
    """Whether it may be shown, stored and passed on."""
    return len(text) <= LONGEST and not any(unicodedata.category(char) in ("Cc", "Cs") for char in text)


def texts(value: Any) -> list[str]:
    """All texts in a JSON value."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        return [text for pair in value.items() for part in pair for text in texts(part)]
    return [text for part in value for text in texts(part)] if isinstance(value, list) else []


async def set_aside(database: Database) -> int:
    async with database.reading() as connection:
        return await connection.scalar(select(func.count()).select_from(rejected_facts)) or 0


# -- the PBX -------------------------------------------------------------------------------------------------
async def _lists(fields: dict[str, str], writer: asyncio.StreamWriter) -> None:
    name, identity = fields.get("Action", ""), fields.get("ActionID", "")
    if name in ("CoreShowChannels", "QueueStatus", "BridgeList", "DeviceStateList"):
        writer.write(message(Response="Success", EventList="start", ActionID=identity))
        for row in ROWS.get(name, ()):
            writer.write(raw(row | {"ActionID": identity.encode()}))
        writer.write(message(Event=f"{name}Complete", EventList="Complete", ActionID=identity))
    else:
        fields_of = {"Response": b"Success", "ActionID": identity.encode(), "AsteriskVersion": BYTES[3]}
        writer.write(raw(fields_of))


def raw(fields: dict[str, bytes]) -> bytes:
    return b"".join(name.encode() + b": " + value + b"\r\n" for name, value in fields.items()) + b"\r\n"


EVIL = b"\x00\x1b\xff" + b"z" * 2_000
ROWS: dict[str, list[dict[str, bytes]]] = {
    "QueueStatus": [
        {"Event": b"QueueParams", "Queue": b"q12345", "Strategy": EVIL, "Max": b"1e300", "Calls": b"nan"},
        {"Event": b"QueueMember", "Queue": b"q12345", "Name": b"1001", "Location": b"PJSIP/1001",
         "Status": b"1", "PausedReason": EVIL, "Penalty": b"9" * 300},
        {"Event": b"QueueEntry", "Queue": b"q12345", "Uniqueid": EVIL, "Channel": EVIL, "Position": b"-1e99",
         "CallerIDNum": EVIL, "Wait": b"-5"},
    ],
    "CoreShowChannels": [
        {"Event": b"CoreShowChannel", "Uniqueid": EVIL, "Linkedid": EVIL, "Channel": b"PJSIP/x-" + EVIL,
         "CallerIDNum": EVIL, "CallerIDName": EVIL, "Exten": b"12345", "Duration": b"999999999:99:99",
         "ChanVariable": b"HOTLINE_RECORDING=" + EVIL},
    ],
    "BridgeList": [{"Event": b"BridgeListItem", "BridgeUniqueid": EVIL, "BridgeType": EVIL}],
    "DeviceStateList": [{"Event": b"DeviceStateChange", "Device": b"PJSIP/1001", "State": EVIL}],
}  # fmt: skip


def a_call(number: int, value: bytes) -> list[bytes]:
    """A whole call in which every text of the PBX is that value."""
    caller, agent = f"{number}.1".encode(), f"{number}.2".encode()
    trunk, phone = f"PJSIP/trunk-{number:08}".encode(), f"PJSIP/1001-{number:08}".encode()
    odd = {"CallerIDNum": value, "CallerIDName": value, "ConnectedLineNum": value, "ConnectedLineName": value,
           "Context": value, "AccountCode": value, "Language": value}  # fmt: skip
    one = {"Uniqueid": caller, "Linkedid": caller, "Channel": trunk, "ChannelStateDesc": b"Ring", **odd}
    two = {"Uniqueid": agent, "Linkedid": caller, "Channel": phone, "ChannelStateDesc": b"Up", **odd}
    about = {"Queue": b"q12345", "MemberName": b"1001", "Interface": b"PJSIP/1001", "DestUniqueid": agent,
             "DestChannel": phone, "HoldTime": b"1"}  # fmt: skip
    return [
        raw({"Event": name.encode(), **fields})
        for name, fields in [
            ("Newchannel", one | {"Exten": b"12345"}),
            *(("VarSet", one | {"Variable": f"HOTLINE_{of}".encode(), "Value": value})
              for of in ("LINE", "IVR_DIGIT", "IVR_MENU", "RECORDING", "QUEUE", "ANYTHING")),
            ("MixMonitorStart", one),
            ("NewCallerid", one),
            ("DTMFEnd", one | {"Digit": value, "Direction": value}),
            ("QueueCallerJoin", one | {"Queue": b"q12345", "Position": b"9" * 30, "Count": value}),
            ("Newchannel", two | {"Exten": value}),
            ("AgentCalled", one | about),
            ("QueueCallerLeave", one | {"Queue": b"q12345", "Position": b"1"}),
            ("AgentConnect", one | about | {"RingTime": value}),
            ("BridgeEnter", one | {"BridgeUniqueid": value, "BridgeType": value, "BridgeTechnology": value}),
            ("BridgeEnter", two | {"BridgeUniqueid": value, "BridgeType": value, "BridgeTechnology": value}),
            ("Hold", two),
            ("Unhold", two),
            ("QueueMemberPause", about | {"PausedReason": value, "Paused": b"1"}),
            ("QueueMemberPause", about | {"PausedReason": b"", "Paused": b"0"}),
            ("BlindTransfer", {"TransfererUniqueid": agent, "TransfererChannel": phone, "Context": value,
                               "TransfereeUniqueid": caller, "TransfereeChannel": trunk, "Extension": value,
                               "Result": value}),
            ("AgentComplete", one | about | {"TalkTime": value, "Reason": value}),
            ("Hangup", two | {"Cause": b"16", "Cause-txt": value}),
            ("Hangup", one | {"Cause": value, "Cause-txt": value}),
        ]
    ]  # fmt: skip


async def test_whatever_a_pbx_says_every_call_is_stored_and_the_next_one_as_ever(
    tmp_path: Path, database_url: str
) -> None:
    secret = tmp_path / "secret"
    secret.write_text("right\n")
    async with ScriptedAmi(_lists) as pbx:
        configured = settings(tmp_path, database_url)
        pbxs = [PbxSettings(name="main", port=pbx.port, secret_file=secret)]
        configured = configured.model_copy(update={"pbx": pbxs})
        async with run_gateway(configured) as gateway:
            async with asyncio.timeout(30):
                while gateway.links["main"].state.phase != "up":  # noqa: ASYNC110
                    await asyncio.sleep(0.02)
                for number, value in enumerate([*BYTES, b"13800138000"]):
                    for one in a_call(number, value):
                        await pbx.send(one)
                # One whose very ids are odd.
                await pbx.send(
                    raw({"Event": b"Newchannel", "Uniqueid": EVIL, "Linkedid": EVIL, "Channel": EVIL})
                )
                last = f"main-{len(BYTES)}.1"
                while True:
                    await gateway.get(JournalWriter).flush()
                    ended = await gateway.calls.get_call(last)
                    if ended is not None and ended.ended_at is not None:
                        break
                    await asyncio.sleep(0.02)
            journal = gateway.get(JournalWriter)
            assert (journal.rejected, journal.trouble) == (0, "")
            assert await set_aside(gateway.get(Database)) == 0
            assert (ended.caller.number, ended.end_reason) == ("13800138000", EndReason.COMPLETED)
            assert ended.conversations
            for number in range(len(BYTES)):
                stored = await gateway.calls.get_call(f"main-{number}.1")
                assert stored is not None
                assert stored.ended_at is not None, BYTES[number][:20]
                assert stored.conversations
            await gateway.accounts.create_account("ban", PASSWORD, Role.SUPERVISOR)
            token = (await gateway.accounts.login("ban", PASSWORD, "here")).token
            async with aiohttp.ClientSession(cookies={"hotline_session": token}) as http:
                for path in ("history/calls?limit=200", "calls", "export/calls.csv", "export/agents.xlsx"):
                    async with http.get(f"http://127.0.0.1:{gateway.web_port}/api/v1/{path}") as answer:
                        assert answer.status == 200, path
                        if "json" in answer.content_type:
                            assert all(map(is_plain, texts(await answer.json())))


# -- the IVR -------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("value", [one for one in BYTES if len(one) < 5_000])
async def test_whatever_an_agi_session_says_is_a_plain_line(value: bytes) -> None:
    heard: asyncio.Future[list[str]] = asyncio.get_running_loop().create_future()

    async def handle(session: AgiSession) -> None:
        said = [*session.environment.values.values(), session.environment.callerid]
        try:
            said.append(await session.get_variable("HOTLINE_LINE") or "")
            said.append(await session.get_data("prompt", max_digits=4))
            await session.set_variable("HOTLINE_X", "\ud83d\x00\nEXEC x")
        except AgiError as error:
            said.append(str(error))
        heard.set_result(said)

    async with FastAgiServer("127.0.0.1", 0, handle) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        names = (b"callerid", b"calleridname", b"extension", b"arg_1", b"dnid", value.replace(b"\n", b""))
        lines = [b"agi_network_script: hotline", *(b"agi_" + name + b": " + value for name in names)]
        writer.write(b"\n".join(lines) + b"\n\n")
        await reader.readline()
        writer.write(b"200 result=1 (" + value + b")\n")
        await reader.readline()
        writer.write(b"200 result=" + b"5" * 300 + b"\n")
        sent = await reader.readline()
        assert sent.count(b"\n") == 1
        assert b"EXEC" not in sent.split(b" ")[:1]
        writer.write(b"200 result=1 " + value + b"\n")
        said = await asyncio.wait_for(heard, 5)
        writer.close()
    assert all(map(is_plain, said))
    assert "5555" in said


# -- the recogniser ----------------------------------------------------------------------------------------
async def test_whatever_the_recogniser_says_is_stored_and_read_again(database: Database) -> None:
    of = call(1, 1000.0)
    async with EnginePool(AsrConfig(model="x"), "tests.support.engines:Hostile") as pool:
        await pool.wait_ready(20)
        phrases = await pool.transcribe(np.zeros(16_000, dtype=np.float32))
    assert len(phrases) == len(HOSTILE)
    async with JournalWriter(database) as journal:
        for at, some in enumerate([phrases, *([one] for one in phrases)]):
            said = utterance(of.id, Side.CALLER, at * 10.0, at * 10.0 + 5, some, Source.LIVE)
            if said is not None:
                journal.put(UtteranceHeard(at=1000.0 + at, utterance=said))
        await asyncio.wait_for(journal.flush(), 10)
        assert journal.rejected == 0
    stored = await CallRepository(database).list_utterances(of.id)
    assert len(stored) == len(HOSTILE) - 1  # two of them say nothing, one is all together
    for one in stored:
        assert is_plain(one.text)
        assert 0.0 <= one.confidence <= 1.0
        assert all(is_plain(other.text) and 0.0 <= other.probability <= 1.0 for other in one.alternatives)


# -- the language model and the work-order system ----------------------------------------------------------
@asynccontextmanager
async def answering(*bodies: bytes, status: int = 200) -> AsyncIterator[str]:
    """A real HTTP server that answers with each of these in turn."""
    left = list(bodies)

    async def handle(_: web.Request) -> web.Response:
        body = left.pop(0) if len(left) > 1 else left[0]
        return web.Response(status=status, body=body, content_type="application/json")

    application = web.Application()
    application.router.add_route("*", "/{tail:.*}", handle)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@pytest.mark.parametrize("odd", ["\x00", "\ud83d", "\x1b[", "\u2028", "\u202e", "\x07" * 5_000])
async def test_whatever_a_language_model_says_fills_fields_with_plain_text(
    database: Database, odd: str
) -> None:
    said = dialogue("您好", "我要投诉，人民路路灯坏了。")
    content = json.dumps({"title": {"value": f"路灯{odd}坏了{odd}", "quote": "路灯坏了"}})
    reply = json.dumps({"choices": [{"message": {"content": content}}]}).encode()
    nested = json.dumps({"choices": [{"message": {"content": "[" * 100_000}}]}).encode()
    async with (
        answering(nested, b"[" * 150_000, b"\xff\xfe", reply) as url,
        LanguageModel(url, "local") as model,
    ):
        for _ in range(3):
            assert await model.ask("general", said, REFERENCE) == {}
        found = await model.ask("general", said, REFERENCE)
    assert is_plain(str(found["title"].value))
    assert "路灯" in str(found["title"].value)
    made = order(call(1, 1000.0), 1)
    made.fields["title"] = found["title"]
    await put_order(database, made)


@pytest.mark.parametrize("status", [200, 500])
async def test_whatever_a_work_order_system_answers_its_delivery_is_settled(
    database: Database, status: int
) -> None:
    replies = [
        b"\0\xff\x1b[31m" * 50, json.dumps({"id": "\ud83d"}).encode(), json.dumps({"id": "a\0b"}).encode(),
        json.dumps({"id": "1" * 500, "order_no": "GD-7"}).encode(), b"[" * 60_000,
        b'{"id": ' + b"9" * 5_000 + b"}",
        "\u2028\u202e".encode(), b"",
    ]  # fmt: skip
    outbox = SqlOutbox(database)
    for number, _ in enumerate(replies):
        of = order(call(number, 1000.0), number, OrderState.SUBMITTED)
        await put_order(database, of, {"main": b"{}"}, 1000.0)
    async with answering(*replies, status=status) as url:
        endpoint = endpoint_of(endpoint_settings(url, max_attempts=1), "Asia/Shanghai")
        worker = DeliveryWorker(outbox, [endpoint])
        task = asyncio.create_task(worker.run())
        async with asyncio.timeout(20):
            while True:
                async with database.reading() as connection:
                    rows = (await connection.execute(select(deliveries))).mappings().all()
                if all(row["state"] != "pending" for row in rows):
                    break
                await asyncio.sleep(0.05)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert {row["state"] for row in rows} == {"delivered" if status == 200 else "dead"}
    assert all(is_plain(row["error"] or "") and is_plain(row["external_id"] or "") for row in rows)


# -- the configuration -------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("text", "key"),
    [
        ('timezone = "a\\u0000b"', "timezone"),
        ('[[agents]]\nid = "1001"\nname = "王\\u001b[31m"', "agents.0.name"),
        ('[desk]\npause_reasons = ["吃饭", "\\u202e"]', "desk.pause_reasons.1"),
        (f'[http]\nhost = "{"x" * 20_000}"', "http.host"),
        ('"a\\u0007" = 1', "(a name)"),
    ],
)
def test_a_configuration_with_such_text_is_refused_by_key(tmp_path: Path, text: str, key: str) -> None:
    file = tmp_path / "hotline.toml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(SettingsError) as refused:
        load_settings(file)
    assert any(key in problem and "retype" in problem for problem in refused.value.problems)
    assert is_plain(str(refused.value).replace("\n", " "))


def test_such_text_in_the_environment_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOTLINE_TIMEZONE", "Asia/\x1b[31mShanghai")
    with pytest.raises(SettingsError, match="HOTLINE_TIMEZONE: has a control character"):
        load_settings()


@pytest.mark.parametrize("secret", [b"a\0b", b"\xff\xfe", b"\x1b"])
def test_a_secret_file_with_such_text_is_refused_and_not_shown(tmp_path: Path, secret: bytes) -> None:
    file = tmp_path / "secret"
    file.write_bytes(b"hunter2" + secret)
    with pytest.raises(ValueError, match="secret_file") as refused:
        PbxSettings(name="main", secret_file=file).read_secret()
    assert "hunter2" not in str(refused.value)
