"""The main job, end to end: a real SIP call with real speech becomes a delivered work order."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from asr.evaluate import cer
from domain.calls import EndReason, Side
from gateway.asterisk.ports import spare_tcp
from gateway.demo.receiver import DemoReceiver
from gateway.settings import Settings
from recordings.pcm import RATE, read_wav, rms_dbfs
from tests.support.installation import SECRET, Installation, installed
from tests.support.machine import CALLS
from tests.support.pbx import NUMBER, ami, pressed
from tests.support.sip.phones import SipAgent, SipCaller
from tests.support.sip.rtp import alaw_of_wav
from tests.support.sound import decode, likeness

pytestmark = [pytest.mark.asterisk, pytest.mark.model]

# Measured on the caller's leg of this call with the base model through a real Asterisk, plus a margin
# (docs/asr.md): a change for the worse shows, a different machine does not.
MAX_CER = 0.45


async def call_through(stage: Installation, name: str, *, seconds: float | None = None) -> dict[str, str]:
    """Dial 12345, press the key of the line, talk with agent 1001, hang up; the AgentConnect event."""
    said = {side: alaw_of_wav(CALLS / f"{name}-{side.value}.wav") for side in Side}
    if seconds is not None:
        said = {side: audio[: int(seconds * RATE)] for side, audio in said.items()}
    ports = stage.asterisk.options
    password = ports.phone_passwords["1001"]
    async with (
        ami(stage.asterisk) as events,
        SipAgent(stage.directory, ports.sip_port, "1001", password) as agent,
        SipCaller(stage.directory, ports.sip_port, "12345", NUMBER, "刘桥<b>村民") as caller,
    ):
        await pressed(events, caller, "0")
        connected = await events.until("AgentConnect", 60)
        caller.voice.say(said[Side.CALLER])
        agent.voice.say(said[Side.AGENT])
        await asyncio.to_thread(caller.voice.said.wait, 90)
        await asyncio.sleep(0.3)
        await caller.hang_up()
        await events.until("AgentComplete")
        return connected


def check_order(order: dict[str, Any], truth: dict[str, Any]) -> None:
    assert order["schema"] == "hotline-order/1"
    assert order["line"] == "12345"
    assert order["call"]["caller_number"] == NUMBER
    assert order["call"]["caller_name"] == "刘桥<b>村民"
    assert order["call"]["agent"] == "1001"
    assert order["call"]["end_reason"] == EndReason.COMPLETED.value
    assert order["call"]["ivr"] == {"menu": "0"}
    fields = order["fields"]
    assert fields["request_type"]["value"] == truth["request_type"]
    assert fields["town"]["value"] == truth["town"]
    assert fields["confidential"]["value"] == truth["confidential"]
    assert fields["urgent"]["value"] == truth["urgent"]
    assert fields["phone"]["value"] == NUMBER
    assert fields["summary"]["value"]
    heard = {said["id"]: said for said in order["transcript"]}
    for name, field in fields.items():
        for evidence in field["evidence"]:
            quoted = heard[evidence["utterance_id"]]["text"][evidence["start"] : evidence["end"]]
            assert quoted == evidence["quote"], name


def check_transcript(order: dict[str, Any], turns: list[dict[str, Any]], side: Side) -> float:
    truth = "".join(turn["text"] for turn in turns if turn["speaker"] == side.value)
    heard = "".join(said["text"] for said in order["transcript"] if said["side"] == side.value)
    return cer(truth, heard)


async def test_a_call_becomes_a_delivered_work_order(
    example: Settings, model: Path, tmp_path: Path, database_url: str | None
) -> None:
    truth = json.loads((CALLS / "d10.json").read_text(encoding="utf-8"))
    async with (
        DemoReceiver(SECRET) as receiver,
        installed(example, tmp_path, receiver.url, database=database_url, partials=True) as stage,
    ):
        await call_through(stage, "d10")
        async with receiver.arrived, asyncio.timeout(60):
            await receiver.arrived.wait_for(lambda: receiver.orders)
        await stage.gateway.until("order_delivered")
        await asyncio.sleep(1.0)
        (order,) = receiver.orders
        assert receiver.repeated == 0

        (call,) = await stage.stored_calls()
        times = [call.started_at, call.queued_at, call.ringing_at, call.answered_at, call.ended_at]
        assert None not in times
        assert times == sorted(times)  # type: ignore[type-var]
        (talk,) = call.conversations
        assert talk.agent == "1001"
        assert talk.ended_at is not None
        # Somewhat longer on a busy machine: who speaks is late at times, and hangs up later.
        assert -1 < talk.ended_at - talk.started_at - truth["duration_s"] < 15

        # Both legs, apart, whole: the recording in the archive is the one the order names.
        (named,) = order["recordings"]
        legs = read_wav(stage.gateway.directory / "data" / "recordings" / named["path"])
        (recording,) = call.recordings
        assert recording.ended_at is not None
        lasted = recording.ended_at - recording.started_at
        for side in Side:
            original = decode(alaw_of_wav(CALLS / f"d10-{side.value}.wav")[: 15 * RATE])
            # As long as the call, less what a busy machine loses.
            assert 0.75 * lasted < len(legs[side]) / RATE < 1.05 * lasted
            assert rms_dbfs(legs[side]) > -45
            own, others = (likeness(legs[one], original) for one in (side, *(set(Side) - {side})))
            assert own > max(0.45, others + 0.1), side

        check_order(order, truth["truth"])
        rate = check_transcript(order, truth["turns"], Side.CALLER)
        print(f"character error rate of the caller's leg: {rate:.3f}")
        assert rate < MAX_CER
        # It was heard while it was said. A machine that is short of time leaves some of it to the recording.
        assert "live" in {said["source"] for said in order["transcript"]}


async def test_nothing_is_lost_when_the_receiver_is_down_and_the_gateway_is_killed(
    example: Settings, model: Path, tmp_path: Path, database_url: str | None
) -> None:
    truth = json.loads((CALLS / "d10.json").read_text(encoding="utf-8"))
    port = spare_tcp()
    async with installed(
        example, tmp_path, f"http://127.0.0.1:{port}/orders", database=database_url
    ) as stage:
        # Down during the call and after it; then the gateway dies before anything could be delivered.
        await call_through(stage, "d10", seconds=23)
        await stage.gateway.kill()
        async with DemoReceiver(SECRET, port=port) as receiver:
            await asyncio.sleep(1.0)
            assert receiver.orders == []
            await stage.gateway.start()
            async with receiver.arrived, asyncio.timeout(90):
                await receiver.arrived.wait_for(lambda: receiver.orders)
            await asyncio.sleep(3.0)
            (order,) = receiver.orders
            assert receiver.repeated == 0
        (call,) = await stage.stored_calls()
        assert call.ended_at is not None
        assert order["call"]["end_reason"] in {EndReason.COMPLETED.value, EndReason.UNSEEN.value}
        # Filled from what was said; how well, other tests tell.
        assert order["fields"]["request_type"]["evidence"]
        assert order["fields"]["town"]["value"] == truth["truth"]["town"]
        assert order["transcript"]
        assert order["recordings"]
