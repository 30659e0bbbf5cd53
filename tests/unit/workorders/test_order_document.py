"""The order's document and its JSON Schema: what is delivered is what is described, nothing else."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from jsonschema import Draft202012Validator, FormatChecker

from gateway.storage.database import Database
from gateway.storage.journal import JournalWriter
from tests.support.orders import OrdersOfProcess, a_call, heard
from workorders.delivery.payload import SCHEMA_FILE
from workorders.delivery.sample import documents

SCHEMA = json.loads(SCHEMA_FILE.read_text(encoding="utf-8"))
VALIDATOR = Draft202012Validator(SCHEMA, format_checker=FormatChecker())


def undescribed(value: Any, schema: dict[str, Any], place: str = "$") -> Iterator[str]:
    """Keys of the document that the schema does not speak of."""
    if isinstance(value, list):
        for one in value:
            yield from undescribed(one, schema.get("items", {}), f"{place}[]")
    if not isinstance(value, dict):
        return
    for name, one in value.items():
        known = schema.get("properties", {}).get(name, schema.get("additionalProperties"))
        if known is None and not place.startswith("$.offers"):
            yield f"{place}.{name}"
        yield from undescribed(one, known or {}, f"{place}.{name}")


@pytest.mark.parametrize("name", list(documents()))
def test_sample_documents_are_valid_and_wholly_described(name: str) -> None:
    document = json.loads(documents()[name])
    assert list(VALIDATOR.iter_errors(document)) == []
    assert list(undescribed(document, SCHEMA)) == []


async def test_what_a_real_call_makes_is_valid_and_wholly_described(database: Database) -> None:
    async with JournalWriter(database) as journal:
        process = OrdersOfProcess(database, journal)
        call = a_call(1)
        said = heard(call, "我姓王，刘桥镇英雄村的路灯坏了三天了，麻烦尽快修")
        process.facts.record(said)
        await journal.flush()
        order = await process.orders.of_call(call)
        await process.orders.on_utterance_heard(said)
        await process.orders.submit(order.id, by="zhang")
        (delivery,) = await process.outbox.claim("main", 60.0, 10)
    document = json.loads(delivery.body)
    assert document["fields"]["town"]["evidence"], "a real one: with evidence"
    assert list(VALIDATOR.iter_errors(document)) == []
    assert list(undescribed(document, SCHEMA)) == []


@pytest.mark.parametrize(
    ("place", "value"), [("status", "lost"), ("revision", "1"), ("fields", []), ("created_at", 5)]
)
def test_the_schema_refuses_what_is_none(place: str, value: Any) -> None:
    document = json.loads(next(iter(documents().values()))) | {place: value}
    assert list(VALIDATOR.iter_errors(document)) != []
