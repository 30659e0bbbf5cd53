"""The document of the HTTP API: whole, true to itself, and true of the gateway that serves it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, cast

import jsonschema
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from msgspec import structs
from schemathesis import GenerationMode
from schemathesis.checks import load_all_checks, not_a_server_error
from schemathesis.specs.openapi import checks as of_document

from agents.accounts.identity import Role, Scope
from domain.facts import CallEnded, UtteranceHeard
from domain.orders import OrderState
from gateway.facts.recorder import FactRecorder
from gateway.storage.database import Database
from gateway.storage.journal import JournalWriter
from gateway.web import examples
from tests.support.databases import put_order
from tests.support.http_api import Api, api_of_gateway

LEFT_OUT = {"session.logout", "administration.doctor"}
"""One would end the session that asks, one takes seconds: the doctor is asked once, below."""
EXAMPLES = 5
NOT_THERE = {
    *("recordings.audio", "recordings.peaks", "recordings.clip", "softphone.softphone"),
    *("inbound.status", "tokens.revoke", "session.login", "commands.command", "shared.shared"),
}
"""What this gateway has none of (recordings, browser phones, PBXs), or what takes a secret."""
HAS_LEFT = {f"orders.{name}" for name in ("fields", "duplicate_of", "outcome", "hold_back")}
"""An order that has left has to be opened for correction first."""
CHECKS = [
    not_a_server_error,
    of_document.status_code_conformance,
    of_document.content_type_conformance,
    of_document.response_schema_conformance,
    of_document.response_headers_conformance,
]


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    """A gateway that knows what the examples name."""
    load_all_checks()
    async with api_of_gateway(tmp_path) as api:
        record, call = api.runtime.get(FactRecorder).record, examples.CALL
        record(CallEnded(at=call.ended_at or 0.0, call=call))
        record(UtteranceHeard(at=call.started_at + 12.3, utterance=examples.UTTERANCE))
        await api.runtime.get(JournalWriter).flush()
        sent = structs.replace(examples.ORDER, state=OrderState.SUBMITTED)
        await put_order(api.runtime.get(Database), sent, {"main": b"{}"}, examples.AT)
        await api.person("wangfang", Role.AGENT, "1001")
        yield api


async def document(api: Api) -> dict[str, Any]:
    told: dict[str, Any] = (await (await api.system(Scope.METRICS_READ)).ask("/api/v1/openapi.json")).json
    return told


def operations(told: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    return [(f"{method} {path}", one) for path, item in told["paths"].items() for method, one in item.items()]


def resolved(told: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    return {**schema, "components": told["components"]}


async def test_every_operation_says_who_may_what_it_takes_answers_and_refuses(api: Api) -> None:
    told = await document(api)
    assert told["openapi"] == "3.1.0"
    found = operations(told)
    assert len(found) > 55
    assert len({one["operationId"] for _, one in found}) == len(found)
    open_to_all = {where for where, one in found if not one.get("security")}
    assert open_to_all == {
        "get /healthz",
        "get /readyz",
        "get /api/v1/welcome",
        "post /api/v1/session",
        "post /api/v1/inbound/{endpoint}/status",
        "get /api/v1/shared/{token}/{name}",
    }
    for where, one in found:
        answered = [answer for status, answer in one["responses"].items() if status < "300"]
        assert answered and one["summary"], where
        for content in (body for answer in answered for body in answer.get("content", {}).items()):
            assert content[1]["schema"], where
        assert where in open_to_all or {"401", "403"} <= set(one["responses"]), where
        scopes = [scope for need in one.get("security", ()) for scope in need.get("token", ())]
        assert set(scopes) <= set(Scope), where


async def test_every_example_is_valid_against_its_own_schema(api: Api) -> None:
    told = await document(api)
    seen = 0
    for where, one in operations(told):
        bodies = [one.get("requestBody", {}), *one["responses"].values()]
        for kind, content in (item for body in bodies for item in body.get("content", {}).items()):
            if "json" not in kind:
                continue
            assert content.get("examples"), f"no example: {where} {kind}"
            for example in content["examples"].values():
                schema = resolved(told, content["schema"])
                jsonschema.Draft202012Validator(schema).validate(example["value"])
                seen += 1
        for parameter in one.get("parameters", ()):
            if "example" in parameter:
                schema = resolved(told, parameter["schema"])
                jsonschema.Draft202012Validator(schema).validate(parameter["example"])
    assert seen > 200


async def test_the_doctor_answers_as_the_document_says(api: Api) -> None:
    told = await document(api)
    found = await (await api.person("guan", Role.ADMIN)).ask("/api/v1/admin/doctor", "POST")
    content = told["paths"]["/api/v1/admin/doctor"]["post"]["responses"]["200"]["content"]
    schema = resolved(told, content["application/json"]["schema"])
    jsonschema.Draft202012Validator(schema).validate(found.json)
    assert found.json["findings"]


def attack(told: dict[str, Any], url: str, headers: dict[str, str]) -> dict[str, set[int]]:
    """Ask every operation for whatever its schemas allow, and for what they do not; what was answered."""
    schema = schemathesis.openapi.from_dict(told)
    schema.config.base_url = url
    answered: dict[str, set[int]] = {}

    def ask(operation: Any, mode: GenerationMode, examples: int) -> None:
        statuses = answered.setdefault(operation.definition.raw["operationId"], set())

        @settings(
            max_examples=examples,
            derandomize=True,
            database=None,
            deadline=None,
            phases=[Phase.explicit, Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy(generation_mode=mode))
        def holds(case: Any) -> None:
            statuses.add(case.call_and_validate(headers=headers, checks=CHECKS).status_code)

        # Of what has no parameters, nothing wrong can be made.
        with contextlib.suppress(Unsatisfiable):
            holds()

    for operation in (cast(Any, found).ok() for found in schema.get_all_operations()):
        raw = operation.definition.raw
        needs = raw.get("security", [{"token": []}])
        if raw["operationId"] not in LEFT_OUT:
            opens = "Cookie" in headers or any("token" in need for need in needs)
            ask(operation, GenerationMode.POSITIVE, EXAMPLES if opens else 1)
            ask(operation, GenerationMode.NEGATIVE, EXAMPLES // 2 if opens else 1)
    return answered


@pytest.mark.filterwarnings("ignore::hypothesis.errors.HypothesisDeprecationWarning")
async def test_the_gateway_does_what_the_document_says(api: Api) -> None:
    """The requests are the same each time; none is answered 5xx, with another status, or another body."""
    told = await document(api)
    closed = {one["operationId"] for _, one in operations(told)} - LEFT_OUT
    closed -= {one["operationId"] for _, one in operations(told) if not one.get("security")}
    opened = {
        one["operationId"]
        for _, one in operations(told)
        if any("token" in need for need in one.get("security", ()))
    }
    guan, holder = await api.person("guan", Role.ADMIN), await api.system(*Scope)
    answered = await asyncio.to_thread(attack, told, api.url, holder.headers)
    assert {name for name in closed if answered[name] <= {401, 403, 422}} == closed - opened
    answered = await asyncio.to_thread(attack, told, api.url, guan.headers)
    assert len(answered) == len(operations(told)) - len(LEFT_OUT)
    well = {name for name, statuses in answered.items() if statuses & {200, 201, 204}}
    assert set(answered) - well == NOT_THERE | HAS_LEFT
