"""Screen-pops from a real database, the shipped directories and the numbering plan."""

from pathlib import Path

import pytest
from msgspec import structs

from agents.accounts.identity import Role
from agents.screen_pop.service import ScreenPopService, belongs
from domain.calls import Call, CallState, Direction, Party
from domain.facts import CallStarted, OrderChanged
from domain.history import CallFilter
from domain.orders import FieldValue, Method, Order, OrderState
from domain.screen_pop import AlertKind, Contact, Level, PopCaller
from domain.visibility.policy import WHOLE, Visibility
from gateway.modules.screen_pop import pop_enterprises, pop_rules
from gateway.settings import Settings, load_settings
from gateway.settings.load import EXAMPLE
from gateway.storage.callers import CallerRepository
from gateway.storage.database import Database
from gateway.storage.history import HistoryRepository
from gateway.storage.journal import JournalWriter
from workorders.directories.contacts import load_contacts
from workorders.directories.reference import ReferenceDataError, load_reference
from workorders.filling import order_id

DAY = 86400.0
MOBILE = (
    "13800138000", "+8613800138000", "8613800138000", "008613800138000", "013800138000", "+86 138-0013-8000",
)  # fmt: skip
LANDLINE = (
    "051386110010", "0513-86110010", "+8651386110010", "+86 513 8611 0010", "8651386110010",
    "008651386110010", "51386110010", "(0513)86110010",
)  # fmt: skip
WITHHELD = (
    "",
    "anonymous",
    "Unavailable",
    "unknown",
    "Restricted",
    "0000000000",
    "-1",
    "private",
    "号码保密",
)
NOW = 1_780_000_000.0


def call(number: str, name: str, days_ago: float) -> Call:
    return Call(
        id=f"main-{name}",
        pbx="main",
        linkedid=name,
        direction=Direction.INBOUND,
        state=CallState.RINGING,
        caller=Party(number, "x"),
        called="12345",
        started_at=NOW - days_ago * DAY,
        line="12345",
    )


def order_of(one: Call, **fields: str) -> Order:
    values = {name: FieldValue(value, 1.0, Method.AGENT) for name, value in fields.items()}
    return Order(
        order_id(one.id), one.id, "12345", OrderState.SUBMITTED, values, one.started_at, one.started_at
    )


def pops(
    database: Database, settings: Settings | None = None, contact: Contact | None = None
) -> ScreenPopService:
    contacts = {"051386110010": contact} if contact else load_contacts(None)
    settings = settings or load_settings(EXAMPLE)
    return ScreenPopService(
        pop_rules(settings),
        pop_enterprises(load_reference()),
        contacts,
        CallerRepository(database),
        settings.privacy.model(),
    )


@pytest.mark.parametrize("same", [MOBILE, LANDLINE], ids=["mobile", "landline"])
async def test_every_form_leads_to_the_same_calls_contact_and_searches(
    database: Database, same: tuple[str, ...]
) -> None:
    """Whatever form the trunk chooses today, as it did before, and as somebody types it."""
    async with JournalWriter(database) as journal:
        for number, written in enumerate(same):
            journal.put(CallStarted(at=NOW, call=call(written, f"before{number}", 1)))
        await journal.flush()
    pops_of = ScreenPopService(
        pop_rules(load_settings(EXAMPLE)),
        {},
        {same[0]: Contact(level=Level.BLACKLIST)},
        CallerRepository(database),
        load_settings(EXAMPLE).privacy.model(),
    )
    history = HistoryRepository(database)
    for written in same:
        pop = await pops_of.pop(call(written, "now", 0), Role.SUPERVISOR)
        assert len(pop.calls) == len(same), written
        assert [one.kind for one in pop.alerts] == [AlertKind.BLACKLIST, AlertKind.REPEAT], written
        for visibility in (WHOLE, Visibility(numbers=False)):
            page = await history.find_calls(CallFilter(number=written), None, 50, visibility=visibility)
            assert len(page.items) == len(same), (written, visibility)


async def test_a_caller_is_known_by_number_in_any_form(database: Database) -> None:
    now = call("051386110010", "now", 0)
    before = [call("+8651386110010", "a", 1), call("051386110010", "b", 2), call("051386110010", "c", 30)]
    other = call("051386110011", "d", 1)
    async with JournalWriter(database) as journal:
        for one in (now, *before, other):
            journal.put(CallStarted(at=one.started_at, call=one))
        named = order_of(before[1], title="噪声扰民", enterprise="通和纺织")
        journal.put(OrderChanged(at=NOW, order=named, changed=("title",)))
        await journal.flush()
        pop = await pops(database).pop(now, Role.AGENT)
    assert [one.id for one in pop.calls] == ["main-a", "main-b", "main-c"]
    assert [(one.title, one.state) for one in pop.orders] == [("噪声扰民", "submitted")]
    assert [(one.kind, one.count) for one in pop.alerts] == [(AlertKind.REPEAT, 3)]
    assert pop.caller.place == "江苏省南通市"
    # Known by another name in the latest order that names an enterprise.
    assert pop.enterprise is not None
    assert pop.enterprise.name == "南通通和示例纺织有限公司"


@pytest.mark.parametrize("number", WITHHELD)
async def test_who_withholds_the_number_is_nobody_else(database: Database, number: str) -> None:
    now, before = call(number, "now", 0), call(number, "before", 1)
    async with JournalWriter(database) as journal:
        for one in (before, now):
            journal.put(CallStarted(at=one.started_at, call=one))
        journal.put(OrderChanged(at=NOW, order=order_of(before, title="私事"), changed=("title",)))
        await journal.flush()
        pop = await pops(database).pop(now, Role.SUPERVISOR)
    assert (pop.calls, pop.orders, pop.alerts, pop.person) == ((), (), (), None)
    assert pop.caller == PopCaller("", "x")


@pytest.mark.parametrize(("lately", "before"), [(3, 2), (19, 0), (20, 0), (22, 8), (5, 30)])
async def test_how_often_somebody_called_is_right_however_often(
    database: Database, lately: int, before: int
) -> None:
    now = call("051386110010", "now", 0)
    earlier = [call("051386110010", f"a{n}", 1 + n / 10) for n in range(lately)]
    earlier += [call("051386110010", f"b{n}", 20 + n) for n in range(before)]
    async with JournalWriter(database) as journal:
        for one in (now, *earlier):
            journal.put(CallStarted(at=one.started_at, call=one))
        await journal.flush()
        pop = await pops(database).pop(now, Role.AGENT)
    (alert,) = [one for one in pop.alerts if one.kind is AlertKind.REPEAT]
    assert alert.count == lately + 1


async def test_who_it_is_and_for_whose_eyes(database: Database) -> None:
    example = load_settings(EXAMPLE)
    privacy = example.privacy.model_copy(update={"whole_numbers": ["admin"], "whole_names": ["admin"]})
    settings = example.model_copy(update={"privacy": privacy})
    contact = Contact("周示例", "南通通和示例纺织有限公司", Level.VIP)
    looked = pops(database, settings, contact)
    now = call("051386110010", "now", 0)
    pop = await looked.pop(now, Role.AGENT)
    assert pop.person is not None
    assert (pop.person.name, pop.caller.number) == ("周**", "051*****0010")
    assert pop.enterprise is not None
    assert [one.kind for one in pop.alerts] == [AlertKind.VIP]
    assert "周示例" not in str(pop)
    whole = await looked.pop(now, Role.ADMIN)
    assert whole.caller.number == "051386110010"
    # Who an agent calls has no history here: the agent is the caller.
    out = structs.replace(now, direction=Direction.OUTBOUND)
    assert (await looked.pop(out, Role.ADMIN)).person is None


def test_places_and_carriers() -> None:
    assert belongs("15906273345") == ("江苏省南通市", "中国移动")
    assert belongs("02512345678")[0] == "江苏省南京市"
    assert belongs("12345") == ("", "")
    assert belongs("+1") == ("", "")


@pytest.mark.parametrize(
    ("line", "said"),
    [("abc\tx", "no telephone number"), ("13800138000\tx\ty\tVVIP", "VVIP"), ("1\t2\t3\t4\t5\t6", "cells")],
)
def test_a_faulty_directory_is_told_with_its_line(tmp_path: Path, line: str, said: str) -> None:
    file = tmp_path / "contacts.tsv"
    file.write_text(f"number\tname\torganisation\tlevel\tnote\n{line}\n", encoding="utf-8")
    with pytest.raises(ReferenceDataError, match=f"contacts.tsv:2.*{said}"):
        load_contacts(file)


def test_the_shipped_directory_is_read() -> None:
    contacts = load_contacts(None)
    assert contacts["051385550003"].level is Level.BLACKLIST
