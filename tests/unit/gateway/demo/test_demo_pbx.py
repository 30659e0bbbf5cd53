"""The demo PBX against independent peers: stock panoramisk and the real FastAGI server."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from panoramisk import Manager

from domain.calls import EndReason, Party, Side
from domain.facts import AnyFact, CallEnded, CallFact, CallUpdated, QueueChanged
from domain.lines import Line
from domain.phones import AgentProfile
from gateway.asterisk.normalise import normalise
from gateway.calls.tracker import CallTracker
from gateway.demo import CALLS
from gateway.demo.alaw import alaw_of, decode
from gateway.demo.pbx import DemoPbx, DemoPbxConfig
from ivr.agi import FastAgiServer
from ivr.hotline import HotlineIvr
from recordings.pcm import split

LINES = (
    Line(id="12345", name="12345", numbers=("12345",), queue="q12345", digit="0"),
    Line(id="yiqilai", name="一企来", numbers=("12346",), queue="yiqilai", digit="1", form="enterprise"),
)
AGENTS = (("1001", "王芳", "PJSIP/1001", {"12345": 0}), ("1002", "李强", "PJSIP/1002", {"yiqilai": 0}))
SPEED = 100.0


@asynccontextmanager
async def exchange(directory: Path, audio: int = 9, agi_away: bool = False) -> AsyncIterator[DemoPbx]:
    async with FastAgiServer("127.0.0.1", 0, HotlineIvr(LINES)) as agi:
        config = DemoPbxConfig(
            username="hotline",
            secret="right",
            lines=LINES,
            agents=AGENTS,
            agi=("127.0.0.1", 9 if agi_away else agi.port),
            audiosocket=("127.0.0.1", audio),
            recordings_dir=directory,
            speed=SPEED,
        )
        async with DemoPbx(config) as pbx:
            yield pbx


@asynccontextmanager
async def stock_client(
    pbx: DemoPbx, secret: str = "right"
) -> AsyncIterator[tuple[Any, list[dict[str, str]]]]:
    events: list[dict[str, str]] = []
    manager = Manager(
        loop=asyncio.get_running_loop(),
        host="127.0.0.1",
        port=pbx.ami_port,
        username="hotline",
        secret=secret,
        reconnect_timeout=60,
    )
    manager.register_event("*", lambda _, event: events.append(dict(event.items())))
    await manager.connect()
    await asyncio.sleep(0.1)
    try:
        yield manager, events
    finally:
        manager.connect = lambda: None
        manager.close()
        await asyncio.sleep(0.02)


def story(events: list[dict[str, str]]) -> list[AnyFact]:
    tracker = CallTracker("demo", LINES, [AgentProfile(a[0], a[1], a[2]) for a in AGENTS])
    facts: list[AnyFact] = []
    for headers in events:
        event = normalise(headers, "demo", time.time())
        if event is not None:
            facts += tracker.apply(event)
    assert tracker.calls == {}
    assert tracker.channels == {}
    return facts


async def test_a_whole_call_tells_the_story_of_a_real_one(tmp_path: Path) -> None:
    async with exchange(tmp_path) as pbx, stock_client(pbx) as (manager, events):
        linkedid = await pbx.place_call(
            "d03", caller_number="15906273345", caller_name="陆<b>", did="12345", digit="1"
        )
        await asyncio.sleep(0.1)
        answer = await manager.send_action({"Action": "QueueStatus"})
        assert [row.event for row in answer].count("QueueMember") == 2
    facts = story(events)
    told = [type(f).__name__ for f in facts if isinstance(f, CallFact) and not isinstance(f, CallUpdated)]
    assert told == [
        "CallStarted",
        "CallQueued",
        "AgentRinging",
        "CallAnswered",
        "ConversationEnded",
        "CallEnded",
    ]
    (over,) = [fact for fact in facts if isinstance(fact, CallEnded)]
    call = over.call
    assert (call.line, call.agent, call.end_reason) == ("yiqilai", "1002", EndReason.COMPLETED)
    assert (call.caller.number, call.caller.name) == ("15906273345", "陆<b>")
    assert call.ivr == {"menu": "1"}
    (recording,) = call.recordings
    legs = split(await asyncio.to_thread(Path(recording.path).read_bytes))
    assert Path(recording.path).name == f"{linkedid}.raw"
    for side in Side:
        said = decode(alaw_of(CALLS / f"d03-{side.value}.wav"))
        # The recording ends with the talk: its tail is the leg's own, sample for sample.
        spoken = np.flatnonzero(np.abs(said) > 1000)
        word = said[spoken[-1] - 800 : spoken[-1]]
        kept = legs[side]
        first = np.flatnonzero(kept == word[0])
        assert any(np.array_equal(kept[at : at + len(word)], word) for at in first), side


@pytest.mark.parametrize("number", ["anonymous", "Restricted", "0000000000", "-1", "<unknown>", "号码保密"])
async def test_a_withheld_number_is_none_anywhere(tmp_path: Path, number: str) -> None:
    async with exchange(tmp_path) as pbx, stock_client(pbx) as (_, events):
        await pbx.place_call("d10", caller_number=number, caller_name="Anonymous", did="12345", digit="0")
        await asyncio.sleep(0.1)
    facts = story(events)
    assert {fact.call.caller for fact in facts if isinstance(fact, CallFact)} == {Party()}
    assert {one.caller for fact in facts if isinstance(fact, QueueChanged) for one in fact.queue.waiting} == {
        ""
    }
    (over,) = [fact for fact in facts if isinstance(fact, CallEnded)]
    assert (over.call.agent, over.call.end_reason) == ("1001", EndReason.COMPLETED)


async def test_without_the_gateway_the_caller_reaches_the_numbers_own_queue(tmp_path: Path) -> None:
    async with exchange(tmp_path, agi_away=True) as pbx, stock_client(pbx) as (_, events):
        await pbx.place_call("d10", caller_number="1", did="12346", digit="0")
        await asyncio.sleep(0.1)
    (over,) = [fact for fact in story(events) if isinstance(fact, CallEnded)]
    assert (over.call.line, over.call.agent) == ("yiqilai", "1002")


async def test_a_caller_who_loses_patience_abandons(tmp_path: Path) -> None:
    async with exchange(tmp_path) as pbx, stock_client(pbx) as (_, events):
        for agent in pbx.agents:
            agent.paused = True
        await pbx.place_call("d10", caller_number="1", did="12345", digit="0", patience_s=0.1)
        await asyncio.sleep(0.1)
    (over,) = [fact for fact in story(events) if isinstance(fact, CallEnded)]
    assert over.call.end_reason is EndReason.ABANDONED_QUEUE


async def test_a_wrong_secret_and_hostile_bytes_change_nothing(tmp_path: Path) -> None:
    async with exchange(tmp_path) as pbx:
        async with stock_client(pbx, "wrong") as (manager, events):
            assert manager.authenticated is False
            assert events == []
        for noise in (b"\x00\xff" * 5000 + b"\r\n\r\n", b"Action: Originate\r\n\r\n", b"x" * 200_000):
            reader, writer = await asyncio.open_connection("127.0.0.1", pbx.ami_port)
            writer.write(noise)
            await asyncio.sleep(0.05)
            writer.close()
            reader.feed_eof()
        async with stock_client(pbx) as (manager, _):
            assert (await manager.send_action({"Action": "Nonsense"})).message == "Invalid/unknown command"
            assert (await manager.send_action({"Action": "Ping"})).success


@pytest.mark.parametrize("data", [b"", b"RIFF0000WAVE", b"RIFF....WAVEfmt \x10\0\0\0\x01\0\x01\0"])
def test_a_file_that_is_no_alaw_wav_is_named(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "x.wav"
    path.write_bytes(data + b"\0" * 32)
    with pytest.raises(ValueError, match=r"x\.wav"):
        alaw_of(path)
