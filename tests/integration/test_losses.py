"""Losses in mid-call on a real Asterisk: it is killed, the gateway is killed; the picture is made true."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from domain.calls import Call, CallSource, EndReason
from gateway.settings import Settings
from tests.support.installation import Installation, installed
from tests.support.pbx import ami, pressed
from tests.support.sip.phones import SipAgent, SipCaller

pytestmark = [pytest.mark.asterisk, pytest.mark.model]
NOBODY = "http://127.0.0.1:9/orders"


async def until(stage: Installation, true: Callable[[list[Call]], bool], timeout: float = 30.0) -> list[Call]:
    async with asyncio.timeout(timeout):
        while not true(calls := await stage.stored_calls()):  # noqa: ASYNC110 - a file is watched
            await asyncio.sleep(0.2)
        return calls


async def test_asterisk_killed_in_mid_call_then_the_gateway(
    example: Settings, model: Path, tmp_path: Path
) -> None:
    async with installed(example, tmp_path, NOBODY) as stage:
        ports = stage.asterisk.options
        password = ports.phone_passwords["1001"]

        # The gateway dies in mid-call and comes back while the call goes on: it is the same call.
        async with (
            ami(stage.asterisk) as events,
            SipAgent(stage.directory, ports.sip_port, "1001", password),
            SipCaller(stage.directory, ports.sip_port, "12345", "13962875016") as caller,
        ):
            await pressed(events, caller, "0")
            await events.until("AgentConnect", 60)
            (known,) = await until(stage, lambda calls: len(calls) == 1 and calls[0].talking)
            await stage.gateway.kill()
            await stage.gateway.start()
            (again,) = await until(stage, lambda calls: len(calls) == 1 and calls[0].talking)
            assert (again.id, again.started_at) == (known.id, known.started_at)

            # It dies again, and the call ends while nobody watches.
            await stage.gateway.kill()
            await caller.hang_up()
            await events.until("AgentComplete")
            await stage.gateway.start()
            (over,) = await until(stage, lambda calls: all(one.ended_at for one in calls))
            # Nobody watched; queue_log tells.
            assert (over.id, over.end_reason, over.source) == (
                known.id, EndReason.COMPLETED, CallSource.PARTLY,
            )  # fmt: skip
            assert all(talk.ended_at for talk in over.conversations)

        # Asterisk dies in mid-call: the call is closed, and none is invented when Asterisk is back.
        async with (
            ami(stage.asterisk) as events,
            SipAgent(stage.directory, ports.sip_port, "1001", password),
            SipCaller(stage.directory, ports.sip_port, "12345", "13962875017") as caller,
        ):
            await pressed(events, caller, "0")
            await events.until("AgentConnect", 60)
            await until(stage, lambda calls: len(calls) == 2 and calls[1].talking)
            stage.asterisk.kill()
            await asyncio.sleep(1.0)
        await stage.asterisk.stop()
        await stage.asterisk._start()
        calls = await until(stage, lambda calls: all(one.ended_at for one in calls))
        assert [one.end_reason for one in calls] == [EndReason.COMPLETED, EndReason.UNSEEN]
