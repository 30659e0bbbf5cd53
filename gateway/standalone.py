"""A gateway that needs nothing: example lines, demo agents, its own PBX and work-order system.

The PBX is a private Asterisk where one can be run, else the demo PBX; either way calls come over the real
protocols, and the gateway does not know the difference.
"""

import asyncio
import itertools
import os
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import structlog
from pydantic import AnyHttpUrl

from agents.accounts.identity import Role
from gateway.app import run_gateway
from gateway.asterisk.private import PrivateAsterisk, find_asterisk
from gateway.demo import install_calls
from gateway.demo.pbx import DemoPbx, DemoPbxConfig
from gateway.demo.receiver import DemoReceiver
from gateway.runtime import Runtime
from gateway.settings import (
    FIRST_PENALTY,
    AgentSettings,
    LineSettings,
    PbxSettings,
    Settings,
    WorkOrderEndpoint,
    load_settings,
)
from gateway.settings.load import EXAMPLE
from gateway.tasks import tell_failure
from ivr.prompts import render as prompts

log = structlog.get_logger(__name__)

Kind = Literal["auto", "asterisk", "demo"]
Say = Callable[[str], None]


@dataclass(frozen=True)
class DemoCall:
    """A recorded call and how its caller dials."""

    name: str
    number: str
    caller: str
    did: str
    digit: str


CALLS = (
    DemoCall("d10", "051386110010", "刘桥村民", "12345", "0"),
    DemoCall("d03", "15906273345", "宏达纺织", "12345", "1"),
    DemoCall("d04", "13814762209", "顾女士", "12345", "2"),
)


@dataclass
class Standalone:
    """What `hotline run` and `hotline demo` need of it."""

    running: Runtime
    receiver: DemoReceiver
    kind: str
    accounts: tuple[tuple[str, str], ...]
    place: Callable[[DemoCall], Awaitable[None]]


def standalone_settings(
    settings: Settings, receiver: DemoReceiver, secret_file: Path, *, browsers: bool
) -> Settings:
    """The settings with everything missing filled in: lines and agents of the example, the demo receiver.

    With `browsers`, agents telephone in the browser, and recorded voices answer where nobody has one open;
    else the agents are the recorded voices.
    """
    example = load_settings(EXAMPLE)
    people, lines = people_of(settings), settings.lines or example.lines
    if browsers:
        agents = [
            *(one.model_copy(update={"phone": f"PJSIP/{one.id}", "softphone": True}) for one in people),
            *_voices(lines, {one.id for one in people}),
        ]
    else:
        agents = [one.model_copy(update={"phone": _recorded(one.id)}) for one in people]
        # Nobody is at a desk who could think again.
        lines = [line.model_copy(update={"send_after_s": 0.0}) for line in lines]
    endpoint = WorkOrderEndpoint(
        id="demo",
        url=AnyHttpUrl(receiver.url),
        secret_file=secret_file,
        first_retry_s=1.0,
    )
    return settings.model_copy(
        update={
            "lines": lines,
            "agents": agents,
            "workorders": [*settings.workorders, endpoint],
            "agi": settings.agi.model_copy(update={"port": 0}),
            "audiosocket": settings.audiosocket.model_copy(update={"port": 0}),
        }
    )


def _recorded(agent_id: str) -> str:
    return f"Local/{agent_id}@hotline-demo-agents/n"


def _voices(lines: Sequence[LineSettings], taken: Collection[str]) -> list[AgentSettings]:
    """A recorded voice for each line, rung where no agent of the line's own can be."""
    ids = (str(number) for number in itertools.count(9001) if str(number) not in taken)
    return [
        AgentSettings(
            id=agent_id,
            name=f"演示录音 {line.name}",
            phone=_recorded(agent_id),
            lines={line.id: FIRST_PENALTY},
        )
        for line, agent_id in zip(lines, ids, strict=False)
    ]


@asynccontextmanager
async def run_standalone(
    settings: Settings, *, kind: Kind = "auto", speed: float = 1.0, say: Say = lambda _: None
) -> AsyncIterator[Standalone]:
    """The gateway with a PBX and a work-order system of its own, up while the block runs."""
    data = settings.data_dir
    data.mkdir(parents=True, exist_ok=True)
    secret = kept_secret(data / "demo-workorders.secret")
    async with DemoReceiver(secret) as receiver:
        chosen = kind if kind != "auto" else ("asterisk" if find_asterisk() else "demo")
        secret_file = data / "demo-workorders.secret"
        whole = standalone_settings(settings, receiver, secret_file, browsers=chosen == "asterisk")
        host = _AsteriskHost(whole, data, say) if chosen == "asterisk" else _DemoHost(whole, data, speed, say)
        people = people_of(settings)
        logins = demo_logins(people, data)
        async with host, run_gateway(whole, pbxs=host.start, demo_accounts=logins, say=say) as running:
            for (username, password), (role, agent) in zip(logins, _roles(people), strict=True):
                await running.accounts.create_account(username, password, role, agent)
            yield Standalone(
                running=running,
                receiver=receiver,
                kind=host.kind,
                accounts=logins,
                place=lambda call: host.place(running, call),
            )


def kept_secret(path: Path) -> str:
    """The secret in that file, made if there is none; readable by its owner only."""
    if not path.exists():
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_urlsafe(24))
    return path.read_text().strip()


def people_of(settings: Settings) -> Sequence[AgentSettings]:
    """The agents of the configuration, else the example's: without the recorded voices."""
    return settings.agents or load_settings(EXAMPLE).agents


def _roles(people: Sequence[AgentSettings]) -> list[tuple[Role, str | None]]:
    return [(Role.SUPERVISOR, None), (Role.ADMIN, None), *((Role.AGENT, agent.id) for agent in people)]


def demo_logins(people: Sequence[AgentSettings], data: Path) -> tuple[tuple[str, str], ...]:
    """(username, password) of the demo accounts: supervisor, administrator, agents. Made once, then kept."""
    password = kept_secret(data / "demo-accounts.secret")[:12]
    return (("banzhang", password), ("guanli", password), *((agent.id, password) for agent in people))


class _AsteriskHost:
    kind = "private Asterisk"

    def __init__(self, settings: Settings, data: Path, say: Say) -> None:
        self._settings, self._data, self._say = settings, data, say
        self._asterisk: PrivateAsterisk | None = None

    async def __aenter__(self) -> "_AsteriskHost":
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._asterisk is not None:
            await self._asterisk.stop()

    async def start(self, agi: str, audiosocket: str) -> list[PbxSettings]:
        self._say("starting a private Asterisk on spare loopback ports")

        def provide(sounds: Path) -> None:
            _, problems = prompts.provide(sounds, [line.model() for line in self._settings.lines])
            for problem in problems:
                self._say(problem)
            install_calls(sounds)

        self._asterisk = PrivateAsterisk(
            self._settings,
            self._data / "asterisk",
            agi=agi,
            audiosocket=audiosocket,
            demo=True,
            provide=provide,
        )
        await self._asterisk.__aenter__()
        return [self._asterisk.pbx]

    async def place(self, running: Runtime, call: DemoCall) -> None:
        link = next(iter(running.links.values()))
        await link.action(
            "Originate",
            {
                "Channel": f"Local/{call.did}@hotline-incoming/n",
                "Context": "hotline-demo-caller",
                "Exten": "call",
                "Priority": "1",
                "CallerID": f'"{call.caller}" <{call.number}>',
                "Async": "true",
                "Variable": [
                    f"__DEMO_NAME={call.name}",
                    f"__DEMO_CALL={secrets.token_hex(6)}",
                    f"DEMO_DIGIT={call.digit}",
                ],
            },
        )


class _DemoHost:
    kind = "demo PBX"

    def __init__(self, settings: Settings, data: Path, speed: float, say: Say) -> None:
        self._settings, self._data, self._speed, self._say = settings, data, speed, say
        self._pbx: DemoPbx | None = None
        self._placed: set[asyncio.Task[object]] = set()

    async def __aenter__(self) -> "_DemoHost":
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in list(self._placed):
            task.cancel()
        await asyncio.gather(*self._placed, return_exceptions=True)
        if self._pbx is not None:
            await self._pbx.__aexit__(None, None, None)

    async def start(self, agi: str, audiosocket: str) -> list[PbxSettings]:
        self._say("starting the demo PBX")
        settings = self._settings
        secret_file = self._data / "demo-ami.secret"
        directory = self._data / "demo-recordings"
        directory.mkdir(parents=True, exist_ok=True)
        config = DemoPbxConfig(
            username="hotline",
            secret=kept_secret(secret_file),
            lines=tuple(line.model() for line in settings.lines),
            agents=tuple((a.id, a.name, a.phone, dict(a.lines)) for a in settings.agents),
            agi=address(agi),
            # Without a recogniser nobody asks for live audio.
            audiosocket=address(audiosocket or NOWHERE),
            recordings_dir=directory,
            speed=self._speed,
        )
        self._pbx = DemoPbx(config)
        await self._pbx.__aenter__()
        return [
            PbxSettings(
                name="demo",
                port=self._pbx.ami_port,
                username="hotline",
                secret_file=secret_file,
                recordings_prefix=str(directory),
                recordings_dir=directory,
            )
        ]

    async def place(self, _: Runtime, call: DemoCall) -> None:
        assert self._pbx is not None
        work = self._pbx.place_call(
            call.name, caller_number=call.number, caller_name=call.caller, did=call.did, digit=call.digit
        )
        task: asyncio.Task[object] = asyncio.create_task(work)
        self._placed.add(task)
        task.add_done_callback(tell_failure)
        task.add_done_callback(self._placed.discard)


NOWHERE = "127.0.0.1:9"
"""The discard port."""


def address(text: str) -> tuple[str, int]:
    """HOST:PORT apart."""
    host, _, port = text.rpartition(":")
    return host, int(port)
