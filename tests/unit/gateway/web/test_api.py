"""The HTTP API on a real socket: who sees what, and how it refuses."""

from typing import Any, cast

import pytest
from msgspec import structs

from agents.accounts.identity import Role
from domain.calls import Conversation, Leg, Party, Side
from gateway.web.serve import serve_web
from tests.support.api import Popping, Row, house

OPEN = {("/api/v1/session", "post"), ("/api/v1/welcome", "get")}


async def test_nothing_is_open(store: Any) -> None:
    async with house(store) as it:
        walked = 0
        for described, methods in it.app.openapi()["paths"].items():
            for method in methods:
                if not described.startswith("/api/") or (described, method) in OPEN:
                    continue
                path = described.replace("{", "").replace("}", "")
                status, headers, _ = await it.ask(method.upper(), path, json={"fields": {}})
                assert status == 401, (method, path, status)
                assert headers["Content-Type"] == "application/problem+json"
                walked += 1
        assert walked >= 10


async def test_an_agent_sees_only_what_is_hers(store: Any) -> None:
    async with house(store) as it:
        agent, supervisor = await it.sign_in("zhang"), await it.sign_in("ban")
        for path, hers in {"/api/v1/calls/c": "1", "/api/v1/orders/o": "1"}.items():
            for number in "12":
                status, _, _ = await it.ask("GET", path + number, headers=agent)
                assert status == (200 if number == hers else 404)
                assert (await it.ask("GET", path + number, headers=supervisor))[0] == 200
        assert [c["id"] for c in (await it.ask("GET", "/api/v1/calls", headers=agent))[2]] == ["c1"]
        assert len((await it.ask("GET", "/api/v1/calls", headers=supervisor))[2]) == 2
        typed = {"fields": {"title": "x"}, "revision": 3}
        assert (await it.ask("PATCH", "/api/v1/orders/o2/fields", json=typed, headers=agent))[0] == 404
        assert (await it.ask("POST", "/api/v1/orders/o2/submit", headers=agent))[0] == 404
        assert (await it.ask("POST", "/api/v1/deliveries/d1/retry", headers=agent))[0] == 403
        assert not it.desk.set and not it.desk.submitted and not it.desk.retried
        assert (await it.ask("PATCH", "/api/v1/orders/o1/fields", json=typed, headers=agent))[0] == 200
        assert it.desk.set == [("o1", {"title": "x"}, 3, "zhang")]
        assert (await it.ask("POST", "/api/v1/orders/o1/submit", headers=agent))[0] == 200
        assert it.desk.submitted == [("o1", "zhang")]
        assert (await it.ask("POST", "/api/v1/deliveries/d1/retry", headers=supervisor))[0] == 200
        assert (await it.ask("POST", "/api/v1/deliveries/d9/retry", headers=supervisor))[0] == 404


async def test_a_call_is_also_theirs_at_whose_phone_it_rings(store: Any) -> None:
    leg, over = Leg("1", "PJSIP/1001-1", Side.AGENT, Party(), 1.0, agent="1001"), 2.0
    talk = Conversation(agent="1001", channel="PJSIP/1001-1", started_at=1.0, ended_at=over)
    for call, status in (
        (Row("c3", "1002", legs=(leg,)), 200),
        (Row("c3", "1002", conversations=(talk,)), 200),
        (Row("c3", "1002", legs=(structs.replace(leg, ended_at=over),)), 404),
    ):
        asked: list[tuple[Any, Role]] = []
        async with house(store, live={"c3": call}, pops=Popping(asked)) as it:
            for who, role, expected in (("zhang", Role.AGENT, status), ("ban", Role.SUPERVISOR, 200)):
                headers = await it.sign_in(who)
                got, _, pop = await it.ask("GET", "/api/v1/calls/c3/pop", headers=headers)
                assert got == expected
                if got == 200:
                    assert pop["alerts"] == []
                    assert asked.pop() == (call, role)
            assert (await it.ask("GET", "/api/v1/calls/c2/pop", headers=await it.sign_in("zhang")))[0] == 404
        assert not asked


async def test_what_is_typed_outlives_the_page_until_it_is_valid(store: Any) -> None:
    async with house(store) as it:
        agent = await it.sign_in("zhang")
        drafts = {"unsaved": {"title": "<b>路", "wish": "修"}}
        assert (await it.ask("PUT", "/api/v1/orders/o1/unsaved", json=drafts, headers=agent))[2] == drafts
        assert (await it.ask("GET", "/api/v1/orders/o1", headers=agent))[2]["unsaved"] == drafts["unsaved"]
        typed = {"fields": {"title": "路灯"}, "seen": {"title": None}}
        assert (await it.ask("PATCH", "/api/v1/orders/o1/fields", json=typed, headers=agent))[0] == 200
        assert (await it.ask("GET", "/api/v1/orders/o1", headers=agent))[2]["unsaved"] == {"wish": "修"}
        gone = {"unsaved": {"wish": None}}
        _, _, left = await it.ask("PUT", "/api/v1/orders/o1/unsaved", json=gone, headers=agent)
        assert left == {"unsaved": {}}
        for path, body, status in (
            ("o2", drafts, 404),
            ("o1", {"unsaved": {"no_such_field": "x"}}, 422),
            ("o1", {"unsaved": {"title": "x" * 4001}}, 422),
            ("o1", {"unsaved": {"title": ["x"]}}, 422),
        ):
            answer = await it.ask("PUT", f"/api/v1/orders/{path}/unsaved", json=body, headers=agent)
            assert answer[0] == status, answer


async def test_a_duplicate_is_marked_with_what_one_may_see_and_audited(store: Any) -> None:
    async with house(store) as it:
        agent, ban = await it.sign_in("zhang"), await it.sign_in("ban")
        path = "/api/v1/orders/o1/duplicate_of"
        # Somebody else's order, which does not stand beside this one, is not to be found by guessing.
        assert (await it.ask("POST", path, json={"order_id": "o2"}, headers=agent))[0] == 404
        assert (await it.ask("POST", path, json={"order_id": "o3"}, headers=agent))[0] == 200
        assert (await it.ask("POST", path, json={"order_id": None}, headers=ban))[0] == 200
        assert it.desk.marked == [("o1", "o3", "zhang"), ("o1", None, "ban")]
        assert [(one.name, one.username, one.ok) for one in it.desk.noted] == [
            ("order.mark_duplicate", "zhang", True),
            ("order.mark_duplicate", "ban", True),
        ]


async def test_a_write_needs_the_csrf_value(store: Any) -> None:
    async with house(store) as it:
        cookie = {"Cookie": (await it.sign_in("zhang"))["Cookie"]}
        for wrong in (cookie, cookie | {"X-CSRF-Token": "x"}):
            assert (await it.ask("POST", "/api/v1/orders/o1/submit", headers=wrong))[0] == 403
        assert not it.desk.submitted


async def test_refusals_name_the_cause(store: Any) -> None:
    async with house(store) as it:
        ban = await it.sign_in("ban")
        stale = {"fields": {}, "revision": 0}
        for status, method, path, more in (
            (409, "PATCH", "/api/v1/orders/o1/fields", {"json": stale}),
            (422, "PATCH", "/api/v1/orders/o1/fields", {"json": {"fields": {"a": {"b": 1}}}}),
            (422, "GET", "/api/v1/calls?limit=0", {}),
            (413, "POST", "/api/v1/orders/o1/submit", {"data": b"x" * 70_000}),
            (404, "GET", "/api/v1/nothing", {}),
            (500, "GET", "/api/v1/calls/broken", {}),
        ):
            got, headers, problem = await it.ask(method, path, headers=ban, **cast(Any, more))
            assert got == status, (path, got, problem)
            assert headers["Content-Type"] == "application/problem+json"
            assert "default-src 'self'" in headers["Content-Security-Policy"]
            assert headers["Cache-Control"] == "no-store"
            assert problem["detail"] and "secret inside" not in problem["detail"]


async def test_guessing_is_slowed_down(store: Any) -> None:
    async with house(store) as it:
        guess = {"username": "zhang", "password": "wrong"}
        for _ in range(200):
            status, headers, _ = await it.ask("POST", "/api/v1/session", json=guess)
            if status != 401:
                break
        assert status == 429
        assert int(headers["Retry-After"]) >= 1


async def test_a_session_ends_with_its_time(store: Any) -> None:
    now = [1000.0]
    async with house(store, session_s=60, clock=lambda: now[0]) as it:
        cookie = await it.sign_in("zhang")
        now[0] += 59
        assert (await it.ask("GET", "/api/v1/session", headers=cookie))[0] == 200
        now[0] += 1
        assert (await it.ask("GET", "/api/v1/session", headers=cookie))[0] == 401


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"X-Forwarded-For": "10.0.0.1"}, 401),
        ({"Forwarded": "for=10.0.0.1"}, 401),
        ({"Host": "rebound.example"}, 401),
    ],
)
async def test_metrics_are_for_this_machine(store: Any, headers: dict[str, str], status: int) -> None:
    async with house(store) as it:
        assert (await it.ask("GET", "/metrics", headers=headers))[0] == status
        agent, ban = await it.sign_in("zhang"), await it.sign_in("ban")
        far = {"X-Forwarded-For": "10.0.0.1"}
        assert (await it.ask("GET", "/metrics", headers=far | agent))[0] == 403
        assert (await it.ask("GET", "/metrics", headers=far | ban))[0] == 200


async def test_a_taken_port_is_an_os_error(store: Any) -> None:
    async with house(store) as it:
        port = int(it.url.rpartition(":")[2])
        with pytest.raises(OSError, match=str(port)):
            async with serve_web(it.app, "127.0.0.1", port):
                pass
