"""Each command on a real Asterisk with real SIP phones: asked over HTTP, seen in sound and picture.

Everybody on the stage hums a tone of their own; who hears whom is told from the energy of each tone.
"""

import asyncio
import os
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np
import numpy.typing as npt
import pytest
import pytest_asyncio

from agents.accounts.identity import Role
from domain.calls import Call, CallState
from domain.queues import AgentState
from gateway.app import run_gateway
from gateway.asterisk.actions import originate_listener
from gateway.asterisk.ports import spare_udp
from gateway.asterisk.private import PrivateAsterisk
from gateway.client.stream import StreamClient
from gateway.runtime import Runtime
from gateway.settings import (
    AgentSettings,
    AsrSettings,
    DeskSettings,
    OutboundRule,
    OutboundSettings,
    Settings,
    load_settings,
)
from gateway.settings.load import EXAMPLE
from recordings.pcm import RATE
from tests.integration.conftest import needed_asterisk
from tests.integration.test_asterisk import Ear, decode
from tests.support.sip.phones import SipAgent, SipCaller, SipOutside
from tests.support.sip.rtp import RtpVoice

pytestmark = [pytest.mark.asterisk, pytest.mark.timeout(240), pytest.mark.asyncio(loop_scope="module")]

PASSWORD = "a password of this test"
TONES = {"music": 300, "caller": 500, "1001": 700, "1002": 900, "1003": 1100, "1004": 1300, "outside": 1700}
CITIZEN, OUTSIDE, INTERNATIONAL = "13962875016", "13800138000", "0012025550100"
LOUD = 1500.0
"""Each hums at 6,000; what is heard through two mixes is still above this, leaks are far below."""


def tone(pitch: int, seconds: float = 1.0) -> bytes:
    """A tone as A-law (ITU-T G.711), whole periods, so that it repeats without a click."""
    at = np.arange(int(RATE * seconds)) / RATE
    wanted = np.sin(2 * np.pi * pitch * at) * 6000
    codes = np.frombuffer(bytes(range(256)), np.uint8)
    values = decode(codes.tobytes()).astype(np.int32)
    order = np.argsort(values)
    nearest = np.clip(np.searchsorted(values[order], wanted), 0, 255)
    return bytes(codes[order][nearest])


def loudness(samples: npt.NDArray[np.int16], pitch: int) -> float:
    """The amplitude of one tone in `samples`."""
    at = np.arange(len(samples)) / RATE
    return float(
        abs(np.exp(-2j * np.pi * pitch * at) @ samples.astype(np.float64)) * 2 / max(1, len(samples))
    )


class Stage:
    """An Asterisk, the gateway, three desks with phones, the carrier's far end."""

    def __init__(
        self, asterisk: PrivateAsterisk, running: Runtime, ear: Ear, outside: SipOutside, directory: Path
    ) -> None:
        self.asterisk, self.running, self.ear, self.directory = asterisk, running, ear, directory
        self.outside = outside
        self.voices: dict[str, RtpVoice] = {}
        self._headers: dict[str, dict[str, str]] = {}
        self._http: aiohttp.ClientSession | None = None

    # -- people --------------------------------------------------------------------------------------------
    def hum(self, name: str, voice: RtpVoice) -> None:
        voice.say(tone(TONES[name]), repeat=True)
        self.voices[name] = voice

    @asynccontextmanager
    async def caller(self, did: str = "12345") -> AsyncIterator[SipCaller]:
        sip = self.asterisk.options.sip_port
        async with SipCaller(self.directory, sip, did, CITIZEN) as caller:
            self.hum("caller", caller.voice)
            try:
                yield caller
            finally:
                await self.everybody_gone(caller)

    async def everybody_gone(self, caller: SipCaller) -> None:
        if caller.up:
            await caller.hang_up()
        await asyncio.sleep(0.2)
        for agent in ("1001", "1002", "1003"):
            # Those who were left talking with each other.
            await self.ask("ban", "hang_up", agent=agent)
        await self.until(lambda: not self.calls, "no call left")
        await self.until(
            lambda: not any(self.state(agent) in (AgentState.TALKING, AgentState.RINGING) for agent in TONES),
            "phones at rest",
        )

    @asynccontextmanager
    async def talk(self, agent: str = "1001", did: str = "12345") -> AsyncIterator[SipCaller]:
        """The caller speaks with that agent; all others are out of their queues."""
        await self.only(agent)
        async with self.caller(did) as caller:
            await self.talking(agent)
            yield caller

    async def only(self, *agents: str) -> None:
        """These agents take calls."""
        for agent in ("1001", "1002", "1003"):
            name = "log_in" if agent in agents else "log_out"
            await self.do("ban", name, agent=agent)
        await self.until(
            lambda: all(
                (self.state(agent) is AgentState.AVAILABLE) is (agent in agents)
                for agent in ("1001", "1002", "1003")
            ),
            f"only {agents} available",
        )

    # -- the picture -----------------------------------------------------------------------------------------
    @property
    def calls(self) -> list[Call]:
        return self.running.pbx_states["main"].live_calls

    def state(self, agent: str) -> AgentState | None:
        status = self.running.pbx_states["main"].queue_state.agents.get(agent)
        return status.state if status else None

    def muted(self) -> list[str | None]:
        return [leg.agent for call in self.calls for leg in call.legs if leg.muted]

    @property
    def listens(self) -> bool:
        """Whether this Asterisk can give live audio: 16 has no app_audiosocket."""
        return int(self.running.pbx_states["main"].version.partition(".")[0]) >= 18

    async def until(self, true: Callable[[], object], what: str, timeout: float = 12.0) -> None:
        try:
            async with asyncio.timeout(timeout):
                while not true():  # noqa: ASYNC110 - the picture is looked at
                    await asyncio.sleep(0.03)
        except TimeoutError:
            shown = [(call.state, [(leg.channel, leg.bridge) for leg in call.legs]) for call in self.calls]
            raise AssertionError(f"not in time: {what}; {shown}") from None

    async def talking(self, agent: str) -> None:
        await self.until(
            lambda: any(
                talk.agent == agent and talk.ended_at is None for c in self.calls for talk in c.conversations
            ),
            f"{agent} conversations",
        )

    # -- asking ----------------------------------------------------------------------------------------------
    async def open(self) -> None:
        self._http = aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar())
        people = {"1001": Role.AGENT, "1002": Role.AGENT, "1003": Role.SUPERVISOR, "1004": Role.AGENT}
        for agent, role in people.items():
            name = "ban" if role is Role.SUPERVISOR else f"a{agent}"
            await self.running.accounts.create_account(name, PASSWORD, role, agent)
            done = await self.running.accounts.login(name, PASSWORD, name)
            self._headers[name] = {
                "Cookie": f"hotline_session={done.token}",
                "X-CSRF-Token": done.identity.csrf,
            }

    async def close(self) -> None:
        if self._http is not None:
            await self._http.close()

    def headers(self, who: str) -> dict[str, str]:
        """What that person's requests carry."""
        return self._headers[who]

    async def ask(self, who: str, name: str, **args: Any) -> tuple[int, Any]:
        assert self._http is not None
        body = {"id": str(uuid.uuid4()), "name": name, "args": args}
        url = f"http://127.0.0.1:{self.running.web_port}/api/v1/commands"
        async with self._http.post(url, json=body, headers=self._headers[who]) as answer:
            return answer.status, await answer.json()

    async def do(self, who: str, name: str, **args: Any) -> Any:
        status, body = await self.ask(who, name, **args)
        assert status == 200, (name, args, body)
        return body["result"]

    async def get(self, who: str, path: str) -> tuple[int, Any]:
        assert self._http is not None
        url = f"http://127.0.0.1:{self.running.web_port}{path}"
        async with self._http.get(url, headers=self._headers[who]) as answer:
            return answer.status, await answer.json()

    # -- the sound -------------------------------------------------------------------------------------------
    async def hear(self) -> dict[str, set[str]]:
        """Who hears whom within the next 0.6 s."""
        before = {name: len(voice.heard) for name, voice in self.voices.items()}
        await asyncio.sleep(0.6)
        found: dict[str, set[str]] = {}
        for name, voice in self.voices.items():
            samples = decode(bytes(voice.heard[before[name] :]))
            if len(samples) < RATE // 5:
                found[name] = set()
                continue
            found[name] = {
                other for other, pitch in TONES.items() if other != name and loudness(samples, pitch) > LOUD
            }
        return found

    async def heard(self, timeout: float = 8.0, **expected: str) -> None:
        """Wait until each named person hears exactly those named (`a1001="caller"`)."""
        wanted = {who.removeprefix("a"): set(whom.split()) for who, whom in expected.items()}
        end = asyncio.get_running_loop().time() + timeout
        while True:
            found = await self.hear()
            if all(found.get(who) == whom for who, whom in wanted.items()):
                return
            assert asyncio.get_running_loop().time() < end, f"heard {found}, not {wanted}"

    async def queue_member(self, queue: str, agent: str) -> dict[str, Any] | None:
        """The member as `QueueStatus` has it."""
        rows = await self.running.links["main"].list_action("QueueStatus", {"Queue": queue})
        return next((dict(row) for row in rows if row.get("Name") == agent), None)


def settings_for(outside_port: int) -> Settings:
    example = load_settings(EXAMPLE)
    fourth = AgentSettings(id="1004", name="周敏", phone="PJSIP/1004", lines={"12345": 0})
    everybody = OutboundRule(patterns=["1[3-9]XXXXXXXXX"])
    lead = OutboundRule(patterns=["00XXXXXXXXXXX"], roles=["supervisor"])
    changes = {
        "agents": [*example.agents, fourth],
        "desk": DeskSettings(login="desk"),
        "outbound": OutboundSettings(allow=[everybody, lead], contact=f"sip:127.0.0.2:{outside_port}"),
        "asr": AsrSettings(engine="none"),
        "workorders": [],
    }
    return example.model_copy(update=changes)


@asynccontextmanager
async def staged(directory: Path, **changes: Any) -> AsyncIterator[Stage]:
    """Everything up; `changes` to the gateway's settings."""
    root = needed_asterisk(os.environ.get("HOTLINE_TEST_ASTERISK", ""))
    outside_port = spare_udp("127.0.0.2")
    settings = settings_for(outside_port).model_copy(update=changes)
    ear = Ear()

    def music(sounds: Path) -> None:
        # Before Asterisk 21 a consultation begins with Atxfer, which will not go without its own sounds.
        for name in ("pbx-transfer", "beep", "beeperr"):
            (sounds / f"{name}.alaw").write_bytes(b"\xd5" * 800)
        (sounds.parent / "moh" / "music.alaw").write_bytes(tone(TONES["music"], 20))

    async with AsyncExitStack() as stack:
        server = await asyncio.start_server(ear.serve, "127.0.0.1", 0)
        await stack.enter_async_context(server)
        audio = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
        asterisk = PrivateAsterisk(
            settings,
            directory / "asterisk",
            agi="127.0.0.1:9",
            audiosocket=audio,
            root=root if root != Path("/") else None,
            provide=music,
        )
        # There before the PBX asks whether it is: else no call goes out until it asks again, 30 s later.
        sip, passwords = asterisk.options.sip_port, asterisk.options.phone_passwords
        outside = await stack.enter_async_context(SipOutside(directory, sip, outside_port))
        await stack.enter_async_context(asterisk)
        ours = settings.model_copy(
            update={
                "data_dir": directory / "data",
                "http": settings.http.model_copy(update={"port": 0, "stream_port": 0}),
                "pbx": [asterisk.pbx],
                "agi": settings.agi.model_copy(update={"port": 0}),
                "audiosocket": settings.audiosocket.model_copy(update={"port": 0}),
            }
        )
        running = await stack.enter_async_context(run_gateway(ours))
        it = Stage(asterisk, running, ear, outside, directory)
        it.hum("outside", outside.voice)
        await it.open()
        stack.push_async_callback(it.close)
        for agent, ring_s in (("1001", 0.2), ("1002", 0.2), ("1003", 0.2), ("1004", None)):
            phone = SipAgent(directory, sip, agent, passwords[agent], ring_s=ring_s)
            await stack.enter_async_context(phone)
            it.hum(agent, phone.voice)
        await it.until(lambda: running.links["main"].state.phase == "up", "link")
        yield it


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    async with staged(tmp_path_factory.mktemp("commands")) as stage:
        yield stage


async def test_log_in_pause_and_force(stage: Stage) -> None:
    assert await stage.queue_member("q12345", "1001") is None
    assert (await stage.do("a1001", "log_in"))["queues"] == ["q12345", "yiqilai", "shangxian"]
    await stage.until(lambda: stage.state("1001") is AgentState.AVAILABLE, "available")
    await stage.do("a1001", "pause", reason="小休")
    member = await stage.queue_member("q12345", "1001")
    assert member is not None
    assert (member["Paused"], member["PausedReason"]) == ("1", "小休")
    await stage.until(lambda: stage.state("1001") is AgentState.PAUSED, "paused")
    await stage.do("a1001", "unpause")
    await stage.do("ban", "force_pause", agent="1001", reason="培训")
    member = await stage.queue_member("q12345", "1001")
    assert member is not None
    assert (member["Paused"], member["PausedReason"]) == ("1", "培训")
    status, body = await stage.ask("a1001", "force_log_out", agent="1002")
    assert (status, body["code"]) == (403, "forbidden")
    await stage.do("ban", "force_log_out", agent="1001")
    assert await stage.queue_member("q12345", "1001") is None
    await stage.until(lambda: stage.state("1001") is AgentState.LOGGED_OUT, "logged out")
    status, body = await stage.ask("a1001", "pause", reason="小休")
    assert (status, body["code"]) == (409, "not_possible")


async def test_two_desks_of_one_agent_show_one_state_and_the_last_command_counts(stage: Stage) -> None:
    desks = []
    async with AsyncExitStack() as stack:
        for _ in range(2):
            done = await stage.running.accounts.login("a1001", PASSWORD, "a1001")
            url = f"ws://127.0.0.1:{stage.running.stream_port}/"
            desk = await stack.enter_async_context(StreamClient(url, f"hotline_session={done.token}"))
            reading = asyncio.create_task(anext_forever(desk))
            stack.callback(reading.cancel)
            await asyncio.wait_for(desk.connected.wait(), 5)
            desks.append(desk)
        first, second = desks

        async def both_show(state: AgentState) -> None:
            await stage.until(
                lambda: all(desk.view.of("agents")["1001"].state == state for desk in desks),
                f"both desks show {state}",
            )

        assert (await first.command("log_in")).ok
        await both_show(AgentState.AVAILABLE)
        assert (await second.command("pause", {"reason": "会议"})).ok
        await both_show(AgentState.PAUSED)
        # What is so already succeeds; the reason of the last stands.
        assert (await first.command("pause", {"reason": "小休"})).ok
        await stage.until(
            lambda: all(desk.view.of("agents")["1001"].reason == "小休" for desk in desks), "the last reason"
        )
        assert (await first.command("unpause")).ok
        assert (await second.command("unpause")).ok
        await both_show(AgentState.AVAILABLE)
        await stage.do("ban", "force_log_out", agent="1001")
        await both_show(AgentState.LOGGED_OUT)


async def anext_forever(desk: StreamClient) -> None:
    async for _ in desk:
        pass


async def test_hold_mute_and_hang_up(stage: Stage) -> None:
    async with stage.talk() as caller:
        await stage.heard(caller="1001", a1001="caller")
        await stage.do("a1001", "hold")
        await stage.heard(caller="music", a1001="")
        await stage.until(lambda: stage.calls[0].state is CallState.HELD, "held")
        await stage.until(lambda: stage.state("1001") is AgentState.ON_HOLD, "on hold")
        assert (await stage.ask("a1001", "hold"))[0] == 409
        await stage.do("a1001", "resume")
        await stage.heard(caller="1001", a1001="caller")
        await stage.do("a1001", "mute")
        await stage.heard(caller="", a1001="caller")
        await stage.until(lambda: stage.muted() == ["1001"], "shown as muted")
        await stage.do("a1001", "unmute")
        await stage.until(lambda: stage.muted() == [], "shown as heard")
        await stage.heard(caller="1001", a1001="caller")
        assert (await stage.ask("a1002", "hang_up", call_id=stage.calls[0].id))[0] == 409
        await stage.do("a1001", "hang_up", call_id=stage.calls[0].id)
        await caller.wait_for_hang_up(5)


async def test_blind_transfers_and_the_listener_stays(stage: Stage) -> None:
    async with stage.talk():
        feed = uuid.uuid4()
        leg = stage.calls[0].caller_leg
        assert leg is not None
        if stage.listens:
            await originate_listener(stage.running.links["main"], leg.channel, feed)
        await stage.heard(caller="1001", a1001="caller")
        await stage.do("a1001", "transfer", to={"agent": "1002"})
        await stage.talking("1002")
        await stage.heard(caller="1002", a1002="caller", a1001="")
        await stage.only("1003")
        await stage.do("a1002", "transfer", to={"queue": "shangxian"})
        await stage.talking("1003")
        await stage.heard(caller="1003", a1003="caller", a1002="")
        # What the recogniser hears of the caller goes on through every transfer.
        if stage.listens:
            before = len(stage.ear.streams[feed])
            await asyncio.sleep(0.5)
            heard = np.frombuffer(bytes(stage.ear.streams[feed][before:]), "<i2")
            assert loudness(heard, TONES["caller"]) > LOUD
        status, body = await stage.ask("ban", "transfer", to={"number": "999"})
        assert (status, body["code"]) == (403, "forbidden")
        await stage.do("ban", "transfer", to={"number": OUTSIDE})
        await stage.heard(caller="outside", outside="caller", a1003="")
        assert len(stage.calls) == 1
    assert not stage.listens or feed in stage.ear.ended


async def test_consult_swap_cancel_complete(stage: Stage) -> None:
    async with stage.talk():
        await stage.heard(caller="1001", a1001="caller")
        await stage.do("a1001", "consult", to={"agent": "1002"})
        await stage.heard(caller="music", a1001="1002", a1002="1001")
        assert (await stage.ask("a1001", "consult", to={"agent": "1002"}))[0] == 409
        assert (await stage.ask("a1002", "complete_transfer"))[0] == 409
        await stage.do("a1001", "swap")
        await stage.heard(caller="1001", a1001="caller", a1002="music")
        await stage.do("a1001", "cancel_transfer")
        await stage.heard(caller="1001", a1001="caller", a1002="")
        await stage.until(lambda: stage.state("1002") is AgentState.LOGGED_OUT, "1002 free")
        assert (await stage.ask("a1001", "cancel_transfer"))[0] == 409
        await stage.do("a1001", "consult", to={"number": OUTSIDE})
        await stage.heard(caller="music", a1001="outside", outside="1001")
        await stage.do("a1001", "complete_transfer")
        await stage.heard(caller="outside", outside="caller", a1001="")


async def test_a_consultation_becomes_a_conference_and_the_agent_leaves(stage: Stage) -> None:
    async with stage.talk():
        await stage.heard(caller="1001", a1001="caller")
        await stage.do("a1001", "consult", to={"agent": "1002"})
        await stage.heard(a1001="1002", a1002="1001")
        await stage.do("a1001", "conference")
        await stage.heard(caller="1001 1002", a1001="caller 1002", a1002="caller 1001")
        await stage.do("a1001", "hang_up")
        await stage.heard(caller="1002", a1002="caller", a1001="")


async def test_a_unit_is_called_into_a_conference(stage: Stage) -> None:
    async with stage.talk():
        await stage.heard(caller="1001", a1001="caller")
        await stage.do("a1001", "conference", to={"number": OUTSIDE})
        await stage.heard(caller="1001 outside", a1001="caller outside", outside="caller 1001")
        assert (await stage.ask("ban", "take_over", target="1001"))[0] == 409


async def test_listen_whisper_barge_and_take_over(stage: Stage) -> None:
    async with stage.talk():
        await stage.heard(caller="1001", a1001="caller")
        assert (await stage.ask("a1002", "listen", target="1001"))[0] == 403
        await stage.do("ban", "listen", target="1001")
        await stage.heard(caller="1001", a1001="caller", a1003="caller 1001")
        await stage.do("ban", "whisper", target="1001")
        await stage.heard(caller="1001", a1001="caller 1003", a1003="caller 1001")
        await stage.do("ban", "barge", target="1001")
        await stage.heard(caller="1001 1003", a1001="caller 1003", a1003="caller 1001")
        await stage.do("ban", "stop_listening")
        await stage.heard(caller="1001", a1001="caller", a1003="")
        await stage.do("ban", "listen", target="1001")
        await stage.heard(a1003="caller 1001")
        await stage.do("ban", "take_over", target="1001")
        await stage.heard(caller="1003", a1003="caller", a1001="")
        await stage.talking("1003")
        await stage.do("ban", "transfer", to={"agent": "1002"})
        await stage.heard(caller="1002", a1002="caller", a1003="")


async def test_pick_up_from_the_queue(stage: Stage) -> None:
    await stage.only("1001")
    await stage.do("a1001", "pause", reason="会议")
    async with stage.caller():
        await stage.until(lambda: any(c.state is CallState.QUEUED for c in stage.calls), "queued")
        call = stage.calls[0]
        await stage.do("a1002", "pick_up", call_id=call.id)
        await stage.talking("1002")
        await stage.heard(caller="1002", a1002="caller")
        assert (await stage.ask("a1001", "pick_up", call_id=call.id))[0] == 409
        assert [one.id for one in stage.calls] == [call.id]
    log = (stage.asterisk.directory / "var/log/queue_log").read_text()
    assert "|WITHDRAW|" in log
    await stage.do("a1001", "unpause")


async def test_click_to_call_and_answer(stage: Stage) -> None:
    await stage.only()
    for number in (INTERNATIONAL, "110", "8" * 8):
        status, body = await stage.ask("a1001", "originate", to={"number": number})
        assert (status, body["code"]) == (403, "forbidden")
    done = await stage.do("a1001", "originate", to={"number": OUTSIDE})
    await stage.heard(a1001="outside", outside="1001")
    (call,) = (call for call in stage.calls if call.id == done["call_id"])
    assert call.caller.number == OUTSIDE
    wire = stage.outside.messages.read_text(errors="replace")
    # The line's number is shown, not the agent's.
    assert f"INVITE sip:{OUTSIDE}@" in wire
    assert "<sip:12345@" in wire.rsplit("INVITE sip:", 1)[1].split("\n\n")[0]
    # The agent who called may transfer as well.
    await stage.do("a1001", "transfer", to={"agent": "1002"})
    await stage.heard(outside="1002", a1002="outside", a1001="")
    await stage.do("a1002", "hang_up")
    await stage.until(lambda: not stage.calls, "over")
    # A desk phone that waits for `Event: talk`.
    await stage.do("a1001", "originate", to={"agent": "1004"})
    await stage.until(lambda: stage.state("1004") is AgentState.RINGING, "1004 rings")
    await asyncio.sleep(0.3)
    await stage.do("a1004", "answer")
    await stage.heard(a1001="1004", a1004="1001")
    await stage.do("a1001", "hang_up")
    await stage.until(lambda: not stage.calls, "over")
    # A phone's own keys reach only what is permitted to all.
    shown = await stage.asterisk.cli(f"dialplan show {INTERNATIONAL}@hotline-agents")
    assert "There is no existence" in shown


async def test_who_did_what_is_in_the_audit(stage: Stage) -> None:
    await stage.do("a1001", "log_in")
    assert (await stage.ask("a1001", "force_log_out", agent="1002"))[0] == 403
    assert (await stage.get("a1001", "/api/v1/audit"))[0] == 403
    _, rows = await stage.get("ban", "/api/v1/audit?username=a1001&limit=2")
    assert [(row["name"], row["agent"], row["ok"], row["code"]) for row in rows] == [
        ("force_log_out", "1001", False, "forbidden"),
        ("log_in", "1001", True, ""),
    ]
