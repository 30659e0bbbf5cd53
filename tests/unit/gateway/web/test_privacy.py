"""One caller's number, name and words, and every edge that shows something of callers: nothing of it reaches
who may not see it whole, and what they work with goes on working."""

import io
import json
import re
import zipfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import quote

import aiohttp
import msgspec
import pytest
from argon2 import PasswordHasher
from fastapi import FastAPI
from msgspec import Struct, structs

from agents.accounts.identity import Identity, Role
from agents.accounts.passwords import Passwords
from agents.accounts.service import AccountService
from agents.screen_pop.service import ScreenPopService
from domain import facts as f
from domain.audit import action_entry
from domain.calls import (
    Call,
    CallState,
    Conference,
    Conversation,
    Direction,
    EndReason,
    Leg,
    Member,
    Party,
    Recording,
    Side,
    Transfer,
    TransferType,
)
from domain.delivery_failures import failure
from domain.lines import Line
from domain.orders import Alert, Evidence, FieldValue, Method, Order, OrderState, RelatedOrder
from domain.queues import Queue, Waiting
from domain.refusals import refusal
from domain.screen_pop import Contact, Level
from domain.transcripts import Utterance, utterance_id
from domain.visibility.policy import NOTHING, WHOLE, Privacy
from gateway.facts.bus import LocalBus
from gateway.facts.order_writer import DatabaseOrderWriter
from gateway.facts.recorder import FactRecorder
from gateway.modules.orders import order_rules
from gateway.modules.screen_pop import pop_enterprises, pop_rules
from gateway.settings import PrivacySettings, load_settings
from gateway.settings.load import EXAMPLE
from gateway.storage.accounts import AccountRepository
from gateway.storage.callers import CallerRepository
from gateway.storage.calls import CallRepository
from gateway.storage.command_log import CommandRepository
from gateway.storage.database import Database
from gateway.storage.history import HistoryRepository
from gateway.storage.journal import JournalWriter
from gateway.storage.orders import OrderRepository
from gateway.storage.outbox import SqlOutbox
from gateway.storage.unsaved_input import UnsavedInputRepository
from gateway.stream.audience import audience_of
from gateway.stream.encoding import encoded
from gateway.stream.state import LiveView
from gateway.web.serve import serve_web
from tests.support.databases import put_order
from tests.support.web import WebServices, create_app
from workorders.directories.reference import load_reference
from workorders.drafting import Understanding
from workorders.forms import FORMS, labels
from workorders.service import OrderService

PASSWORD = "correct-horse"
NUMBER, NAME, ADDRESS = "13912345678", "欧阳小芳", "幸福路一百二十八号3单元"
SPOKEN = "我的电话是幺三九，幺二三四，五六七八"
WORDS = "家里漏水了没人管"
WISH = "打139****5678吧"
OTHER = "13700137000"
SECRETS = {
    "number": [NUMBER, "幺三九，幺二三四", OTHER, "139 1234 5678"],
    "name": [NAME],
    "address": [ADDRESS],
    "words": [WORDS],
}
AT = 1_767_323_045.0
CALL = "main-1767323045.1"
ORDER = "00000000-0000-5000-8000-000000000001"
MASKED = PrivacySettings(
    whole_numbers=["admin"], whole_names=["admin"], whole_addresses=["admin"], whole_transcripts=["admin"]
).model()


def leg(uniqueid: str, channel: str, party: Party, agent: str | None = None) -> Leg:
    return Leg(uniqueid, channel, Side.AGENT if agent else Side.CALLER, party, AT, agent=agent)


def the_call() -> Call:
    return Call(
        id=CALL, pbx="main", linkedid="1767323045.1", direction=Direction.INBOUND, state=CallState.TALKING,
        caller=Party(f"+86{NUMBER}", NAME), called="051385123456", started_at=AT, line="12345", agent="1001",
        ivr={"menu": "1", "id_number": NUMBER}, answered_at=AT + 15,
        legs=(
            leg("1.1", "PJSIP/trunk-00000001", Party(NUMBER, NAME)),
            leg("1.2", f"Local/{OTHER}@hotline-outbound-00000002;1", Party(OTHER, OTHER), "1001"),
        ),
        conversations=(
            Conversation("1001", f"Local/{OTHER}@x-00000002;1", AT + 15),
            Conversation(None, "PJSIP/trunk-00000005", AT + 20, AT + 25, party=OTHER),
        ),
        recordings=(Recording(f"/rec/{NUMBER}.raw", "PJSIP/trunk-00000001", AT),),
        transfers=(Transfer(AT + 30, TransferType.BLIND, NUMBER, OTHER, "success"),),
        conferences=(Conference(AT + 40, (Member("1.1", NUMBER, AT + 40),)),),
    )  # fmt: skip


def out_call() -> Call:
    """An agent called somebody outside."""
    return structs.replace(
        the_call(), id="main-1767323099.9", linkedid="1767323099.9", direction=Direction.OUTBOUND,
        caller=Party("1001", "王芳"), called=OTHER, started_at=AT + 54, state=CallState.ENDED,
        ended_at=AT + 90, end_reason=EndReason.COMPLETED,
    )  # fmt: skip


def the_order(call: Call) -> Order:
    def heard(value: Any, quote: str = "") -> FieldValue:
        return FieldValue(value, 0.9, Method.RULE, (Evidence("u", 0, 3, quote, 1.0, 2.0),) if quote else ())

    return Order(
        id=ORDER, call_id=call.id, line="12345", state=OrderState.DRAFT, created_at=AT + 15, updated_at=AT,
        fields={
            "phone": heard(NUMBER, SPOKEN),
            "caller_name": heard(NAME, f"我叫{NAME}"),
            "location": heard(ADDRESS, f"就在{ADDRESS}"),
            "title": heard(f"{NAME}反映{ADDRESS}漏水"),
            "summary": heard(f"{NAME}家漏水，回电139 1234 5678，{ADDRESS}", WORDS),
            "keywords": heard(["漏水", NUMBER]),
        },
        offers={"phone": (heard(OTHER, f"或者打{OTHER}"),)},
        related=(RelatedOrder("o2", AT, "caller", f"回电{NUMBER}"),),
    )  # fmt: skip


class House(Struct):
    http: aiohttp.ClientSession
    url: str
    accounts: AccountService
    orders: OrderService
    app: FastAPI
    view: LiveView
    headers: dict[str, str] = {}

    async def as_(self, username: str) -> "House":
        done = await self.accounts.login(username, PASSWORD, "test")
        headers = {"Cookie": f"hotline_session={done.token}", "X-CSRF-Token": done.identity.csrf}
        return structs.replace(self, headers=headers)

    async def ask(self, path: str, method: str = "GET", **more: Any) -> tuple[int, bytes]:
        async with self.http.request(method, self.url + path, headers=self.headers, **more) as response:
            return response.status, await response.read()


@asynccontextmanager
async def opened(database: Database, privacy: Privacy) -> AsyncIterator[House]:
    settings = load_settings(EXAMPLE)
    store = AccountRepository(database)
    cheap = Passwords(PasswordHasher(time_cost=1, memory_cost=64, parallelism=1))
    accounts = AccountService(store, store, passwords=cheap)
    await accounts.create_account("zhang", PASSWORD, Role.AGENT, "1001")
    await accounts.create_account("ban", PASSWORD, Role.SUPERVISOR, None)
    await accounts.create_account("guan", PASSWORD, Role.ADMIN, None)
    calls, repository, outbox = CallRepository(database), OrderRepository(database), SqlOutbox(database)
    audit, drafts, bus = CommandRepository(database), UnsavedInputRepository(database), LocalBus()
    call, view = the_call(), LiveView()
    order = the_order(call)
    earlier = structs.replace(
        call, id="main-1767000000.1", linkedid="1767000000.1", started_at=AT - 900, state=CallState.ENDED,
        ended_at=AT - 800, end_reason=EndReason.COMPLETED,
    )  # fmt: skip
    before = structs.replace(
        order, id="00000000-0000-5000-8000-000000000002", call_id=earlier.id, created_at=AT - 880
    )
    said = [
        Utterance(utterance_id(CALL, Side.CALLER, at), CALL, Side.CALLER, at, at + 2, text)
        for at, text in ((16.0, SPOKEN), (20.0, WORDS))
    ]
    shown: list[f.AnyFact] = [
        f.CallUpdated(at=AT, call=call, what="x"),
        f.CallEnded(at=AT, call=out_call()),
        *(f.UtteranceHeard(at=AT + one.start, utterance=one) for one in said),
        f.OrderChanged(at=AT, order=order, changed=()),
        f.LifeSafetyAlert(at=AT, alert=Alert(CALL, ORDER, "12345", "1001", AT, WORDS, 0.9)),
        f.QueueChanged(
            at=AT, queue=Queue("q12345", "main", "12345", (Waiting("c9", "9.1", 1, AT, NUMBER),), 1)
        ),
    ]
    async with JournalWriter(database) as journal:
        for fact in [*shown, f.CallEnded(at=AT, call=earlier)]:
            journal.put(fact)
            view.apply(fact)
        journal.put(f.OrderChanged(at=AT - 800, order=before, changed=()))
        await journal.flush()
        await put_order(database, structs.replace(before, state=OrderState.SUBMITTED), {"main": b"{}"}, AT)
        (delivery,) = await outbox.list_deliveries()
        await outbox.dead(
            delivery.id, 422, failure("answered_with", status=422, said=f"wrong phone {NUMBER}")
        )
        await drafts.keep_unsaved(ORDER, {"phone": f"{NUMBER}#", "wish": f"打{NUMBER}"}, by="zhang")
        why = refusal("number_forbidden", number=NUMBER)
        args = {"call_id": CALL, "to": {"number": NUMBER}}
        await audit.note(
            action_entry(at=AT, action_id="d", username="zhang", role="agent", agent="1001", name="originate",
                 args=args, refused=why)
        )  # fmt: skip
        orders = OrderService(
            order_rules(settings),
            Understanding(load_reference()),
            FactRecorder(journal, bus),
            calls,
            repository,
            DatabaseOrderWriter(repository, bus),
        )
        pops = ScreenPopService(
            pop_rules(settings), pop_enterprises(load_reference()),
            {NUMBER: Contact(NAME, "示例公司", Level.VIP, f"另有{OTHER}")},
            CallerRepository(database), privacy,
        )  # fmt: skip
        services = WebServices(
            accounts=accounts, live=view, orders=orders, calls=calls, deliveries=outbox, audit=audit,
            history=HistoryRepository(database), pops=pops, drafts=drafts, field_labels=labels(),
            forms=FORMS, privacy=privacy, lines=(Line(id="12345", name="热线", numbers=(), queue="q12345"),),
        )  # fmt: skip
        app = create_app(services)
        async with (
            serve_web(app, "127.0.0.1", 0) as port,
            aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as http,
        ):
            yield House(http, f"http://127.0.0.1:{port}", accounts, orders, app, view)


NOTHING_OF_CALLERS = {
    *("/healthz", "/readyz", "/metrics", "/api/v1/openapi.json", "/api/v1/asyncapi.json"),
    *("/api/v1/session", "/api/v1/welcome", "/api/v1/softphone", "/api/v1/directory", "/api/v1/commands"),
    *("/api/v1/admin/overview", "/api/v1/admin/accounts", "/api/v1/figures/places"),
    *(f"/api/v1/export/{name}.{{form}}" for name in ("accounts", "places", "endpoints")),
    # Sound is sound: who may listen hears all of it, by a permission of its own, and it is audited.
    *("/api/v1/recordings/{recording_id}/audio", "/api/v1/recordings/{recording_id}/peaks"),
    "/api/v1/calls/{call_id}/clip",
}
TOLD = {
    "/api/v1/calls": "",
    "/api/v1/calls/{call_id}": "",
    "/api/v1/calls/{call_id}/pop": "",
    "/api/v1/orders/{order_id}": "",
    "/api/v1/history/calls": "",
    "/api/v1/history/orders": "",
    "/api/v1/audit": "",
    "/api/v1/deliveries": "",
    "/api/v1/export/calls.{form}": "",
    "/api/v1/export/orders.{form}": "",
    "/api/v1/export/deliveries.{form}": "",
    "/api/v1/export/audit.{form}": "",
    "/api/v1/export/agents.{form}": "",
    "/api/v1/export/queues.{form}": "",
}


def edges(app: FastAPI) -> list[str]:
    """Every address that tells something of callers; one that is new must be put into a set above."""
    paths = {path for path, methods in app.openapi()["paths"].items() if "get" in methods}
    assert paths - NOTHING_OF_CALLERS - set(TOLD) == set(), "is something of callers shown there?"
    assert set(TOLD) <= paths
    filled = [path.replace("{call_id}", CALL).replace("{order_id}", ORDER) for path in TOLD]
    return [one for path in filled for one in ([path.replace("{form}", form) for form in ("csv", "xlsx")]
            if "{form}" in path else [path])]  # fmt: skip


def text_of(body: bytes) -> str:
    if body[:2] == b"PK":
        with zipfile.ZipFile(io.BytesIO(body)) as archive:
            return "".join(archive.read(name).decode() for name in archive.namelist())
    return body.decode("utf-8-sig")


def told(text: str) -> set[str]:
    """Which secrets stand in it, in whatever way it is written."""
    plain = text.encode().decode("unicode_escape", "ignore") if "\\u" in text else ""
    return {kind for kind, secrets in SECRETS.items() for one in secrets if one in text or one in plain}


def streamed(house: House, role: Role, privacy: Privacy, *, screen: bool = False) -> str:
    who = Identity("x", role, "1001" if role is Role.AGENT else None, "t", 9e9, "c")
    return house.view.snapshot(audience_of(who, privacy, screen=screen)).decode()


@pytest.mark.parametrize("name", ["zhang", "ban"])
async def test_nothing_whole_reaches_who_may_not_see_it(database: Database, name: str) -> None:
    async with opened(database, MASKED) as house:
        who, whole = await house.as_(name), await house.as_("guan")
        seen, hidden = 0, set(SECRETS)
        for path in edges(house.app):
            status, body = await whole.ask(path)
            assert status == 200, path
            shown_whole = told(text_of(body))
            status, body = await who.ask(path)
            if status == 403:
                assert name == "zhang" and re.search("export|audit|deliveries", path), path
                continue
            assert (status, told(text_of(body))) == (200, set()), path
            seen += len(shown_whole)
            hidden -= shown_whole
        # The test itself can see: all of it was there to be hidden, and administrators are shown it.
        assert hidden == set()
        assert seen >= 10
        role = Role.AGENT if name == "zhang" else Role.SUPERVISOR
        assert told(streamed(house, role, MASKED)) == set()
        assert told(streamed(house, Role.ADMIN, MASKED)) == set(SECRETS)


async def test_the_big_screen_is_everybodys(database: Database) -> None:
    usual = PrivacySettings().model()
    async with opened(database, usual) as house:
        assert told(streamed(house, Role.SUPERVISOR, usual)) == set(SECRETS)
        assert told(streamed(house, Role.SUPERVISOR, usual, screen=True)) == set()
        # Who waits in the queue is no agent's caller yet.
        agents = audience_of(Identity("x", Role.AGENT, "1009", "t", 9e9, "c"), usual, ["queues"])
        frame = house.view.snapshot(agents).decode()
        assert "139****5678" in frame and told(frame) == set()
        who = await house.as_("zhang")
        for path in (f"/api/v1/calls/{CALL}", f"/api/v1/orders/{ORDER}"):
            assert told(text_of((await who.ask(path))[1])) >= {"number", "name", "address"}


async def test_what_is_typed_beside_stars_loses_nothing(database: Database) -> None:
    async with opened(database, MASKED) as house:
        who, path = await house.as_("zhang"), f"/api/v1/orders/{ORDER}"
        seen = json.loads((await who.ask(path))[1])
        summary, name = (seen["fields"][one]["value"] for one in ("summary", "caller_name"))
        assert seen["fields"]["phone"]["value"] == "139****5678"
        assert seen["unsaved"] == {"phone": "139****5678#", "wish": "打139****5678"}
        body = {
            "fields": {
                "summary": f"{summary}。请尽快",
                "caller_name": name,
            },
            "seen": {"summary": summary},
        }
        status, answer = await who.ask(f"{path}/fields", "PATCH", json=body)
        assert (status, told(answer.decode())) == (200, set()), answer
        kept = (await house.orders.get_order(ORDER)) or the_order(the_call())
        values = {name: field.value for name, field in kept.fields.items()}
        assert values["summary"] == f"{NAME}家漏水，回电139 1234 5678，{ADDRESS}。请尽快"
        assert (values["caller_name"], values["phone"]) == (NAME, NUMBER)
        # An offer taken over is what was heard, whole.
        offer = seen["offers"]["phone"][0]["value"]
        assert offer == "137****7000"
        assert (await who.ask(f"{path}/fields", "PATCH", json={"fields": {"phone": offer}}))[0] == 200
        kept = (await house.orders.get_order(ORDER)) or kept
        assert kept.fields["phone"].value == OTHER
        status, answer = await who.ask(f"{path}/unsaved", "PUT", json={"unsaved": {"wish": WISH}})
        assert (status, told(answer.decode())) == (200, set())
        guan = await house.as_("guan")
        assert json.loads((await guan.ask(path))[1])["unsaved"]["wish"] == f"打{NUMBER}吧"


async def test_a_masked_number_cannot_be_found_out_digit_by_digit(database: Database) -> None:
    async with opened(database, MASKED) as house:
        ban, guan = await house.as_("ban"), await house.as_("guan")

        async def found(who: House, query: str, what: str = "calls") -> int:
            status, body = await who.ask(f"/api/v1/history/{what}?{query}")
            return len(json.loads(body)["items"]) if status == 200 else -status

        for what, many in (("calls", 2), ("orders", 2)):
            assert await found(guan, "number=1234", what) == many
            assert await found(ban, "number=1234", what) == 0
            assert await found(ban, "number=5678", what) == many
            assert await found(ban, f"number={NUMBER}", what) == many
            assert await found(ban, "number=139123456", what) == 0
            assert await found(ban, "q=13912", what) == -403
        assert await found(ban, "q=" + quote("漏水")) == -403
        assert await found(guan, "q=" + quote("漏水")) == 1
        assert await found(ban, "q=" + quote("漏水"), "orders") == 2
        assert (await ban.ask("/api/v1/export/calls.csv?q=" + quote("漏水")))[0] == 403


def test_whole_eyes_get_the_very_same_bytes() -> None:
    """What everybody may see is encoded once for all: masking costs nothing where nothing is masked."""
    view = LiveView()
    view.apply(f.CallUpdated(at=AT, call=the_call(), what="x"))
    boss = Identity("x", Role.SUPERVISOR, None, "t", 9e9, "c")
    open_, shut = Privacy({"supervisor": WHOLE}), Privacy({"supervisor": NOTHING})
    ((key, item),) = view.items.changed(0) or []
    whole = [encoded(key, item, audience_of(boss, open_)) for _ in range(2)]
    assert whole[0] is whole[1]
    masked = [encoded(key, item, audience_of(boss, shut)) for _ in range(2)]
    assert masked[0] is masked[1]
    assert msgspec.convert(msgspec.json.decode(masked[0])["value"], Call).caller == Party(
        "+861******5678", "欧***"
    )
