"""Real calls on a real Asterisk: the gateway's figures against those computed from Asterisk's own queue_log.

The same calls show what the agents' machine promises: wrap-up keeps calls away, also over a restart; missed
calls pause; overflow reaches the other line's agents only after its time.
"""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from msgspec import Struct, structs

from domain.figures import QueueFigures
from domain.queues import MISSED_REASON, AgentState
from gateway.app import run_gateway
from gateway.asterisk.private import PrivateAsterisk
from gateway.runtime import Runtime
from gateway.settings import (
    AgentSettings,
    AgiSettings,
    AsrSettings,
    AudioSocketSettings,
    DatabaseSettings,
    DeskSettings,
    HttpSettings,
    LineSettings,
    OverflowStep,
    Settings,
)
from tests.support.pbx import private
from tests.support.sip.phones import SipAgent, SipCaller

pytestmark = pytest.mark.asterisk

WRAP_UP_S = 9.0
"""Long enough that the gateway is back within it, also on a busy machine."""
OVERFLOW_S = 7
LINES = [
    LineSettings(
        id="12345",
        name="政务服务便民热线",
        numbers=["12345"],
        queue="q12345",
        service_level_s=3,
        wrap_up_s=WRAP_UP_S,
        abandon_after_s=2,
    ),
    LineSettings(
        id="yiqilai",
        name="一企来",
        numbers=["12346"],
        queue="yiqilai",
        service_level_s=3,
        ring_timeout_s=3,
        overflow=[OverflowStep(after_s=OVERFLOW_S, max_penalty=10)],
    ),
    LineSettings(
        id="shangxian",
        name="尚贤人才",
        numbers=["12347"],
        queue="shangxian",
        queue_timeout_s=4,
        abandon_after_s=2,
    ),
]
AGENTS = [
    AgentSettings(id="1001", name="王芳", phone="PJSIP/1001", lines={"12345": 0, "yiqilai": 10}),
    AgentSettings(id="1002", name="李强", phone="PJSIP/1002", lines={"yiqilai": 0}),
    AgentSettings(id="1003", name="陈静", phone="PJSIP/1003", lines={"shangxian": 0}),
]


class Logged(Struct):
    """What queue_log says of one queue."""

    offered: int = 0
    answered: int = 0
    answered_in_time: int = 0
    abandoned: int = 0
    short_abandoned: int = 0
    timeout: int = 0
    transferred: int = 0
    missed: int = 0
    served: int = 0
    talk_s: float = 0.0
    waits: list[float] = []
    longest_wait_s: float = 0.0


COUNTED = (
    "offered",
    "answered",
    "answered_in_time",
    "abandoned",
    "short_abandoned",
    "timeout",
    "transferred",
    "missed",
    "served",
)


def of_queue_log(text: str, queue: str, in_time_s: float, short_s: float) -> Logged:
    """An independent reading: https://docs.asterisk.org/Operation/Logging/Queue-Logs/"""
    found = Logged()
    for row in text.splitlines():
        _, _, name, _, event, *data = row.split("|")
        if name != queue:
            continue
        waited: float | None = None
        match event:
            case "ENTERQUEUE":
                found.offered += 1
            case "CONNECT":
                waited = float(data[0])
                found.answered += 1
                found.answered_in_time += waited <= in_time_s
                found.waits.append(waited)
            case "ABANDON":
                waited = float(data[2])
                if waited < short_s:
                    found.short_abandoned += 1
                else:
                    found.abandoned += 1
            case "EXITWITHTIMEOUT":
                waited = float(data[2])
                found.timeout += 1
            case "COMPLETECALLER" | "COMPLETEAGENT":
                found.served += 1
                found.talk_s += float(data[1])
            case "BLINDTRANSFER":
                found.served += 1
                found.transferred += 1
                found.talk_s += float(data[3])
            case "RINGNOANSWER":
                found.missed += 1
        found.longest_wait_s = max(found.longest_wait_s, waited or 0.0)
    return found


class Stage:
    """One Asterisk, its phones, and the gateway that watches."""

    def __init__(self, directory: Path, asterisk: PrivateAsterisk, running: Runtime) -> None:
        self.directory, self.asterisk, self.running = directory, asterisk, running

    def agent(self, user: str, *, answers: bool = True) -> SipAgent:
        options = self.asterisk.options
        password = options.phone_passwords[user]
        return SipAgent(self.directory, options.sip_port, user, password, ring_s=0.3, answers=answers)

    def caller(self, did: str) -> SipCaller:
        return SipCaller(self.directory, self.asterisk.options.sip_port, did, "13962875016")

    def state(self, agent: str) -> AgentState:
        return self.running.pbx_states["main"].queue_state.agents[agent].state

    def figures(self, queue: str) -> QueueFigures:
        return self.running.figures.today.day(("main", queue), time.time())

    def talking_channel(self, agent: str) -> str | None:
        for call in self.running.pbx_states["main"].live_calls:
            for talk in call.conversations:
                if talk.agent == agent and talk.ended_at is None:
                    return talk.channel
        return None


async def until(what: Callable[[], Any], timeout: float = 20.0) -> float:
    """Wait until it is so; how long that took."""
    began = time.monotonic()
    async with asyncio.timeout(timeout):
        while not what():  # noqa: ASYNC110 - a picture is watched
            await asyncio.sleep(0.02)
    return time.monotonic() - began


def settings_for(
    example: Settings,
    directory: Path,
    asterisk: PrivateAsterisk | None = None,
    database: str | None = None,
) -> Settings:
    return example.model_copy(
        update={
            "data_dir": directory / "data",
            "database": DatabaseSettings(url=database),
            "lines": LINES,
            "agents": AGENTS,
            "desk": DeskSettings(missed_limit=1),
            "asr": AsrSettings(engine="none", live=False),
            "http": HttpSettings(port=0, stream_port=0),
            "agi": AgiSettings(port=0),
            "audiosocket": AudioSocketSettings(port=0),
            "workorders": [],
            "pbx": [asterisk.pbx] if asterisk else example.pbx,
        }
    )


async def answered_at_once(stage: Stage) -> None:
    async with stage.caller("12345") as caller:
        await until(lambda: stage.state("1001") is AgentState.TALKING)
        await asyncio.sleep(2.2)
        await caller.hang_up()
    await until(lambda: stage.state("1001") is AgentState.WRAP_UP)


async def answered_late_since_wrap_up_keeps_calls_away(stage: Stage) -> None:
    """Calls while the agent wraps up; rung only when the gateway has ended that."""
    paused = await stage.asterisk.cli("queue show q12345")
    assert "paused:wrap-up:" in paused
    async with stage.caller("12345") as caller:
        await until(lambda: stage.figures("q12345").offered == 2)
        waited = await until(lambda: stage.state("1001") in (AgentState.RINGING, AgentState.TALKING))
        assert waited > 3
        await until(lambda: stage.state("1001") is AgentState.TALKING)
        await asyncio.sleep(1.2)
        await caller.hang_up()
    await until(lambda: stage.state("1001") is AgentState.WRAP_UP)


async def gives_up(stage: Stage, after_s: float) -> None:
    before = stage.figures("shangxian").offered
    async with stage.caller("12347") as caller:
        await until(lambda: stage.figures("shangxian").offered == before + 1)
        await asyncio.sleep(after_s)
        await caller.hang_up()


async def let_go_after_its_time(stage: Stage) -> None:
    async with stage.caller("12347") as caller:
        assert await caller.wait_for_hang_up(15) == 0


async def missed_and_overflown(stage: Stage) -> None:
    """The seat does not answer and is paused; after the overflow's time the other line's agent is rung."""
    async with stage.agent("1002", answers=False), stage.caller("12346") as caller:
        await until(lambda: stage.state("1002") is AgentState.RINGING)
        rung = time.monotonic()
        await until(lambda: stage.state("1002") is AgentState.PAUSED)
        assert stage.running.pbx_states["main"].queue_state.agents["1002"].reason == MISSED_REASON
        assert stage.state("1001") is AgentState.AVAILABLE
        await until(lambda: stage.state("1001") is AgentState.RINGING)
        assert OVERFLOW_S - 1 < time.monotonic() - rung < OVERFLOW_S + 6
        await until(lambda: stage.state("1001") is AgentState.TALKING)
        await asyncio.sleep(1)
        await caller.hang_up()
    # The line has no wrap-up.
    await until(lambda: stage.state("1001") is AgentState.AVAILABLE)


async def passed_on_to_another_queue(stage: Stage) -> None:
    async with stage.caller("12345") as caller:
        await until(lambda: stage.talking_channel("1001"))
        await asyncio.sleep(1.2)
        link = stage.running.links["main"]
        channel = stage.talking_channel("1001") or ""
        await link.action(
            "BlindTransfer", {"Channel": channel, "Context": "hotline-transfer", "Exten": "12347"}
        )
        assert await caller.wait_for_hang_up(15) == 0
    await until(lambda: stage.state("1001") is AgentState.WRAP_UP)


async def test_the_figures_are_those_of_queue_log(
    example: Settings, tmp_path: Path, database_url: str | None
) -> None:
    rendered = settings_for(example, tmp_path)
    async with private(PrivateAsterisk, rendered, tmp_path / "asterisk") as asterisk:
        settings = settings_for(example, tmp_path, asterisk, database_url)
        async with run_gateway(settings) as running:
            stage = Stage(tmp_path / "sip", asterisk, running)
            await until(lambda: running.links["main"].state.phase == "up")
            async with stage.agent("1001"):
                await until(lambda: stage.state("1001") is AgentState.AVAILABLE)
                await answered_at_once(stage)
                await answered_late_since_wrap_up_keeps_calls_away(stage)
                await gives_up(stage, 3.0)
                await let_go_after_its_time(stage)
                await gives_up(stage, 0.6)
                await until(lambda: stage.state("1001") is AgentState.AVAILABLE)
                await missed_and_overflown(stage)
                await passed_on_to_another_queue(stage)
                # The log has the last line a moment before the event is folded.
                await until(lambda: stage.figures(LINES[2].queue).timeout == 2)
                compared = compare(stage)
                wrapping_until = running.pbx_states["main"].queue_state.agents["1001"].wrap_up_until or 0.0
        # The gateway is gone in the middle of wrap-up: Asterisk holds it.
        assert "paused:wrap-up:" in await asterisk.cli("queue show q12345")
        assert time.time() < wrapping_until
        async with run_gateway(settings) as running:
            stage.running = running
            # Rebuilt from the journal before the PBX is asked: the same to the last second.
            for queue, before in compared.items():
                again = stage.figures(queue)
                for name in (*COUNTED, "talk_s", "wrap_up_s", "longest_wait_s", "service_level"):
                    assert getattr(again, name) == getattr(before, name), (queue, name)
            await until(lambda: running.links["main"].state.phase == "up")
            queue_state = running.pbx_states["main"].queue_state
            assert queue_state.agents["1001"].wrap_up_until == pytest.approx(wrapping_until, abs=1)
            await until(lambda: queue_state.agents["1001"].wrap_up_until is None)
            assert time.time() >= wrapping_until - 1
            assert "paused:wrap-up:" not in await asterisk.cli("queue show q12345")
            wrapped = stage.figures("q12345").wrap_up_s
            assert wrapped == pytest.approx(3 * WRAP_UP_S, abs=1.5)
            assert running.figures.today.agent("1001", time.time()).taken == 4


def compare(stage: Stage) -> dict[str, QueueFigures]:
    """Every figure of every queue against the log's; what was compared."""
    text = (stage.asterisk.directory / "var/log/queue_log").read_text(encoding="utf-8")
    compared = {}
    for line in LINES:
        ours = stage.figures(line.queue)
        log = of_queue_log(text, line.queue, line.service_level_s, line.abandon_after_s)
        wanted = {name: getattr(log, name) for name in COUNTED}
        assert {name: getattr(ours, name) for name in COUNTED} == wanted, f"{line.queue}\n{text}"
        # Whole seconds, taken by Asterisk twice within a moment: a second's border may lie between.
        assert ours.talk_s == pytest.approx(log.talk_s, abs=log.served), line.queue
        assert ours.longest_wait_s == pytest.approx(log.longest_wait_s, abs=1), line.queue
        if log.waits:
            speed = sum(log.waits) / len(log.waits)
            assert ours.average_speed_of_answer_s == pytest.approx(speed, abs=1), line.queue
        compared[line.queue] = structs.replace(ours)
    # The calls were what they were meant to be: this test cannot pass on an empty log.
    first, second, third = (compared[line.queue] for line in LINES)
    # The third waited for Asterisk's own bridge of 5 s after the call of the other line.
    assert (first.offered, first.answered, first.answered_in_time, first.transferred) == (3, 3, 1, 1)
    assert (second.offered, second.answered, second.missed, second.answered_in_time) == (1, 1, 1, 0)
    assert (third.offered, third.abandoned, third.short_abandoned, third.timeout) == (4, 1, 1, 2)
    return compared
