"""Two gateways that serve in turn: one PostgreSQL, one real Asterisk, callers that keep calling."""

import asyncio
import contextlib
import itertools
import random
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import msgspec

from domain.calls import Side
from domain.transcripts import Utterance
from gateway.asterisk.ports import spare_tcp
from gateway.asterisk.private import PrivateAsterisk
from gateway.demo.receiver import DemoReceiver
from gateway.settings import Settings
from tests.support.databases import POSTGRESQL
from tests.support.installation import SECRET, Installation
from tests.support.machine import CALLS
from tests.support.pbx import our_prompts, private
from tests.support.process import GatewayProcess
from tests.support.recogniser import CountingRecogniser
from tests.support.sip.rtp import alaw_of_wav
from tests.support.sip.softphone import Softphone
from tests.support.wire import Wire

AGENTS = ("1001", "1002", "1003")
NUMBERS = ("12345", "12346", "12347")
"""What the callers dial: the first has a menu, in which some of them are when a gateway is lost."""
TAKES_OVER_S = 10.0
OVERLAP_S = 0.5
"""Utterances begin and end a little before and after what is said."""
RATE = 8000


@dataclass
class Pair:
    """Two processes of one configuration; each has a way of its own to the database."""

    asterisk: PrivateAsterisk
    directory: Path
    gateways: tuple[GatewayProcess, GatewayProcess]
    wires: tuple[Wire, Wire]
    receiver: DemoReceiver
    took_s: list[tuple[float, str]] = field(default_factory=list)
    """How long each take-over took, and which way the other was lost."""

    @property
    def installation(self) -> Installation:
        return Installation(self.asterisk, self.gateways[0], self.directory)

    async def serving(self) -> int:
        """Which of the two is ready."""
        async with asyncio.timeout(60):
            while True:
                for number, gateway in enumerate(self.gateways):
                    if await gateway.status() == 200:
                        return number
                await asyncio.sleep(0.05)

    async def taken_over(self, other: int, began: float, how: str) -> None:
        """Wait until that one is ready."""
        async with asyncio.timeout(60):
            while await self.gateways[other].status() != 200:  # noqa: ASYNC110 - a process is watched
                await asyncio.sleep(0.05)
        self.took_s.append((time.monotonic() - began, how))

    async def lose(self, how: str) -> None:
        """Let whoever serves be lost, wait for the other, and bring the first back to stand by."""
        first = await self.serving()
        gone, wire = self.gateways[first], self.wires[first]
        began = time.monotonic()
        if how == "kill":
            await gone.kill()
        elif how == "stop":
            gone.signal(signal.SIGSTOP)
        elif how == "cut":
            wire.cut(silent=random.random() < 0.5)
        else:
            gone.signal(signal.SIGTERM)
        await self.taken_over(1 - first, began, how)
        if how == "stop":
            await asyncio.sleep(random.uniform(0.0, 3.0))
            gone.signal(signal.SIGCONT)
        elif how == "cut":
            wire.fix()
        else:
            if how == "term":
                await gone.ended()
            await gone.start(ready=False)
        async with asyncio.timeout(40):
            while not await gone.stands_by():  # noqa: ASYNC110 - a process is watched
                await asyncio.sleep(0.1)


class FrontDoor:
    """What browsers know: a proxy that leads to whichever of the two is ready, for page and stream."""

    def __init__(self) -> None:
        self.page, self.stream = spare_tcp(), spare_tcp()
        self._leads_to: GatewayProcess | None = None
        self._stack = contextlib.AsyncExitStack()

    async def open(self, gateways: Sequence[GatewayProcess]) -> None:
        """Serve until closed."""
        for port, there in ((self.page, "web"), (self.stream, "stream")):
            server = await asyncio.start_server(partial(self._connected, there), "127.0.0.1", port)
            self._stack.callback(server.close)
        looking = asyncio.create_task(self._look(gateways))
        self._stack.callback(looking.cancel)

    async def close(self) -> None:
        await self._stack.aclose()

    async def _look(self, gateways: Sequence[GatewayProcess]) -> None:
        while True:
            for gateway in gateways:
                if await gateway.status() == 200:
                    self._leads_to = gateway
            await asyncio.sleep(0.3)

    async def _connected(
        self, there: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        ways = [writer]
        try:
            to, back = await asyncio.open_connection("127.0.0.1", getattr(self._leads_to, there))
            ways.append(back)
            async with asyncio.TaskGroup() as group:
                group.create_task(_relay(reader, back))
                group.create_task(_relay(to, writer))
        except* (OSError, AttributeError):
            pass
        finally:
            for one in ways:
                one.transport.abort()


async def _relay(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    while data := await source.read(65536):
        sink.write(data)
        await sink.drain()
    raise ConnectionError("the other side has ended")


@asynccontextmanager
async def pair_on(
    example: Settings, directory: Path, url: str, front: FrontDoor | None = None
) -> AsyncIterator[Pair]:
    """Both are up, one of them serves; `front`: the door by which browsers come."""
    http = (
        ""
        if front is None
        else (
            f'public_stream_url = "ws://127.0.0.1:{front.stream}/stream"\n'
            f'allowed_origins = ["http://127.0.0.1:{front.page}"]'
        )
    )
    port = int(POSTGRESQL.rpartition("@")[2].partition("/")[0].rpartition(":")[2] or 5432)
    agi, audio = (spare_tcp(), spare_tcp()), (spare_tcp(), spare_tcp())
    async with contextlib.AsyncExitStack() as stack:
        enter = stack.enter_async_context
        receiver, recogniser = await enter(DemoReceiver(SECRET)), await enter(CountingRecogniser())
        wires = (await enter(Wire(port)), await enter(Wire(port)))
        asterisk = private(
            PrivateAsterisk,
            example,
            directory / "asterisk",
            agi=f"127.0.0.1:{agi[0]}",
            agi_peers=(f"127.0.0.1:{agi[1]}",),
            audiosocket=f"127.0.0.1:{audio[0]}",
            provide=our_prompts,
        )
        await enter(asterisk)
        made = [
            GatewayProcess(
                directory / name,
                asterisk,
                agi[number],
                audio[number],
                receiver.url,
                SECRET,
                database=url.replace(f":{port}/", f":{wires[number].port}/"),
                data=directory / "data",
                agi_peers=[agi[1 - number]],
                http=http,
                asr=f'[asr]\nengine = "http"\nurl = "{recogniser.url}"\npartials = false',
            )
            for number, name in enumerate(("one", "two"))
        ]
        pair = Pair(asterisk, directory, (made[0], made[1]), wires, receiver)
        await enter(made[0])
        stack.push_async_exit(made[1])
        await made[1].start(ready=False)
        if front is not None:
            await front.open(made)
            stack.push_async_callback(front.close)
        yield pair


class Callers:
    """Calls that come in one after the other as long as the block runs, each answered and ended."""

    def __init__(self, pair: Pair, *, seconds: tuple[float, float] = (3.0, 20.0)) -> None:
        self._pair = pair
        self._seconds = seconds
        self.placed: list[str] = []
        """The callers' numbers."""

    async def __aenter__(self) -> "Callers":
        options = self._pair.asterisk.options
        self._said = {side: alaw_of_wav(CALLS / f"d10-{side.value}.wav") for side in Side}
        self._stack = contextlib.AsyncExitStack()
        self._agents = [
            await self._stack.enter_async_context(
                Softphone(options.sip_port, user, options.phone_passwords[user])
            )
            for user in AGENTS
        ]
        self._outside = await self._stack.enter_async_context(
            Softphone(options.sip_port, "outside", address="127.0.0.2")
        )
        self._over = asyncio.Event()
        self._tasks = [asyncio.create_task(self._keep_calling(number)) for number in NUMBERS]
        self._talking = asyncio.create_task(self._talk())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._over.set()
        await asyncio.wait_for(asyncio.gather(*self._tasks), 120)
        self._talking.cancel()
        await self._stack.aclose()

    async def _keep_calling(self, called: str) -> None:
        while not self._over.is_set():
            number = f"139{len(self.placed):08d}"
            self.placed.append(number)
            call = await self._outside.dial(called, number)
            await asyncio.wait_for(call.answered.wait(), 30)
            self._outside.say(call, self._said[Side.CALLER])
            await asyncio.sleep(random.uniform(*self._seconds))
            await call.hang_up()
            await asyncio.sleep(random.uniform(0.5, 4.0))

    async def _talk(self) -> None:
        """Whoever answers, speaks."""
        spoken: set[str] = set()
        while True:
            for agent in self._agents:
                for dialog in list(agent.calls):
                    if dialog.call_id not in spoken and dialog.answered.is_set():
                        spoken.add(dialog.call_id)
                        agent.say(dialog, self._said[Side.AGENT])
            await asyncio.sleep(0.2)


async def everything_done(pair: Pair, timeout: float = 180.0) -> None:
    """Wait until every call is over, the work after it is done and its order is delivered."""
    left = (
        "SELECT id FROM calls WHERE ended_at IS NULL OR finish = 'pending'"
        " UNION ALL SELECT id FROM deliveries WHERE state = 'pending'"
        " UNION ALL SELECT id FROM orders WHERE state NOT IN ('delivered', 'dead')"
    )
    async with asyncio.timeout(timeout):
        while await pair.installation.stored(left):  # noqa: ASYNC110 - a database is watched
            await asyncio.sleep(0.5)


async def faults(pair: Pair, placed: list[str]) -> list[str]:
    """What is missing or there twice, in words; nothing: each call, utterance and order is there once."""
    found: list[str] = []
    calls = await pair.installation.stored_calls()
    counted = Counter(call.caller.number for call in calls)
    found += [f"call of {one}: {counted[one]} times" for one in placed if counted[one] != 1]
    found += [f"call of {one} was invented" for one in set(counted) - set(placed)]
    delivered = Counter(order["call"]["id"] for order in pair.receiver.orders)
    expected = {call.id for call in calls if call.has_work_order}
    found += [f"order of {one}: {delivered[one]} times" for one in expected if delivered[one] != 1]
    found += [f"order of {one} was invented" for one in set(delivered) - expected]
    for call in calls:
        found += await _spoken_twice(pair, call.id)
    return found


async def _spoken_twice(pair: Pair, call_id: str) -> list[str]:
    rows = await pair.installation.stored(f"SELECT data FROM utterances WHERE call_id = '{call_id}'")
    said = sorted(
        (msgspec.json.decode(data, type=Utterance) for (data,) in rows), key=lambda one: (one.side, one.start)
    )
    return [
        f"{one.side.value} of {call_id} at {one.start:.1f}-{one.end:.1f} and at {other.start:.1f} again"
        for one, other in itertools.pairwise(said)
        if one.side is other.side and other.start < one.end - OVERLAP_S
    ]


async def listeners(pair: Pair) -> list[str]:
    """The channels of listeners in the PBX."""
    channels = (await pair.asterisk.cli("core show channels concise")).splitlines()
    return [
        line.partition("!")[0] for line in channels if "hotline-listen" in line or "hotline-media" in line
    ]
