"""Desks with phones on a real Asterisk, the gateway in the test's own process, commands over HTTP."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

from agents.accounts.identity import Role
from domain.calls import Call
from domain.queues import AgentState
from gateway.app import run_gateway
from gateway.asterisk.ports import spare_udp
from gateway.asterisk.private import PrivateAsterisk
from gateway.runtime import Runtime
from gateway.settings import (
    AgentSettings,
    AsrSettings,
    DatabaseSettings,
    DeskSettings,
    OutboundRule,
    OutboundSettings,
    Settings,
    load_settings,
)
from gateway.settings.load import EXAMPLE
from recordings.pcm import RATE
from tests.support.feeds import AudioSocketEar
from tests.support.pbx import private, reachable
from tests.support.sip.phones import SipAgent, SipCaller, SipOutside
from tests.support.sip.rtp import RtpVoice
from tests.support.sound import LOUD, TONES, decode, loudness, tone

PASSWORD = "a password of this test"

CITIZEN, OUTSIDE, INTERNATIONAL = "13962875016", "13800138000", "0012025550100"


class Desks:
    """An Asterisk, the gateway, three desks with phones, the carrier's far end."""

    def __init__(
        self,
        asterisk: PrivateAsterisk,
        running: Runtime,
        ear: AudioSocketEar,
        outside: SipOutside,
        directory: Path,
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


def desk_settings(outside_port: int) -> Settings:
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
async def desks_on(directory: Path, *, database: str | None = None, **changes: Any) -> AsyncIterator[Desks]:
    """Everything up; `changes` to the gateway's settings; `database`: another than the embedded one."""
    outside_port = spare_udp("127.0.0.2")
    settings = desk_settings(outside_port).model_copy(update=changes)
    ear = AudioSocketEar()

    def music(sounds: Path) -> None:
        # Before Asterisk 21 a consultation begins with Atxfer, which will not go without its own sounds.
        for name in ("pbx-transfer", "beep", "beeperr"):
            (sounds / f"{name}.alaw").write_bytes(b"\xd5" * 800)
        (sounds.parent / "moh" / "music.alaw").write_bytes(tone(TONES["music"], 20))

    async with AsyncExitStack() as stack:
        server = await asyncio.start_server(ear.serve, "127.0.0.1", 0)
        await stack.enter_async_context(server)
        audio = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
        asterisk = private(
            PrivateAsterisk,
            settings,
            directory / "asterisk",
            audiosocket=audio,
            provide=music,
        )
        # There before the PBX asks whether it is: else no call goes out until it asks again, 30 s later.
        sip, passwords = asterisk.options.sip_port, asterisk.options.phone_passwords
        outside = await stack.enter_async_context(SipOutside(directory, sip, outside_port))
        await stack.enter_async_context(asterisk)
        ours = settings.model_copy(
            update={
                "data_dir": directory / "data",
                "database": DatabaseSettings(url=database),
                "http": settings.http.model_copy(update={"port": 0, "stream_port": 0}),
                "pbx": [asterisk.pbx],
                "agi": settings.agi.model_copy(update={"port": 0}),
                "audiosocket": settings.audiosocket.model_copy(update={"port": 0}),
            }
        )
        running = await stack.enter_async_context(run_gateway(ours))
        it = Desks(asterisk, running, ear, outside, directory)
        it.hum("outside", outside.voice)
        await it.open()
        stack.push_async_callback(it.close)
        for agent, ring_s in (("1001", 0.2), ("1002", 0.2), ("1003", 0.2), ("1004", None)):
            phone = SipAgent(directory, sip, agent, passwords[agent], ring_s=ring_s)
            await stack.enter_async_context(phone)
            it.hum(agent, phone.voice)
        await it.until(lambda: running.links["main"].state.phase == "up", "link")
        await reachable(asterisk, "trunk")
        yield it
