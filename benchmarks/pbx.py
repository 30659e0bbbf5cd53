"""A PBX in a process of its own: the real AMI wire protocol, fed from a capture."""

import asyncio
import re
import time
from collections.abc import Iterable
from multiprocessing.connection import Connection

from msgspec import Struct

from benchmarks.capture import Calls
from benchmarks.harness import pin, requests
from gateway.demo.ami_server import AmiServer, Headers

_LINKEDID = re.compile(rb"\r\nLinkedid: (\S+)")
USER, SECRET = "hotline", "benchmark"


class PbxPlan(Struct):
    """What the PBX holds when somebody connects."""

    queues: tuple[str, ...] = ("q12345",)
    members: int = 0
    """Agents, numbered from 2000, in the queues in turn."""
    calls: int = 0
    """Calls in progress: every other one waits, the others talk."""


class QueueState:
    """Answers the list actions from the plan."""

    def __init__(self, plan: PbxPlan) -> None:
        self._plan = plan
        self._now = time.time()

    def _queue(self, index: int) -> str:
        return self._plan.queues[index % len(self._plan.queues)]

    def channel_rows(self) -> Iterable[Headers]:
        for number in range(self._plan.calls):
            waits = number % 2 == 0
            for half in range(1 if waits else 2):
                name = f"PJSIP/{2000 + number}-{number:08x}" if half else f"PJSIP/trunk-{number:08x}"
                yield [
                    ("Event", "CoreShowChannel"),
                    ("Channel", name),
                    ("ChannelState", "6"),
                    ("ChannelStateDesc", "Up"),
                    ("CallerIDNum", f"139{number:08d}"),
                    ("CallerIDName", "季建国"),
                    ("Context", "hotline-queue"),
                    ("Exten", "12345"),
                    ("Uniqueid", f"1800000000.{number * 2 + half}"),
                    ("Linkedid", f"1800000000.{number * 2}"),
                    ("Application", "Queue" if not half else "AppQueue"),
                    ("Duration", "00:01:05"),
                    ("BridgeId", "" if waits else f"{number:08x}-0000-4000-8000-000000000000"),
                    ("ChanVariable", "HOTLINE_LINE=12345"),
                ]

    def bridge_rows(self) -> Iterable[Headers]:
        for number in range(1, self._plan.calls, 2):
            yield [
                ("Event", "BridgeListItem"),
                ("BridgeUniqueid", f"{number:08x}-0000-4000-8000-000000000000"),
                ("BridgeType", "basic"),
            ]

    def bridge_members(self, bridge: str) -> list[str]:
        number = int(bridge[:8], 16) * 2
        return [f"1800000000.{number}", f"1800000000.{number + 1}"]

    def queue_rows(self) -> Iterable[Headers]:
        for name in self._plan.queues:
            yield [("Event", "QueueParams"), ("Queue", name), ("Strategy", "rrmemory")]
        for number in range(self._plan.members):
            yield [
                ("Event", "QueueMember"),
                ("Queue", self._queue(number)),
                ("Name", str(2000 + number)),
                ("Location", f"PJSIP/{2000 + number}"),
                ("StateInterface", f"PJSIP/{2000 + number}"),
                ("Membership", "dynamic"),
                ("Penalty", "0"),
                ("Status", "1"),
                ("Paused", "0"),
            ]
        for number in range(0, self._plan.calls, 2):
            yield [
                ("Event", "QueueEntry"),
                ("Queue", self._queue(number)),
                ("Position", str(number // 2 + 1)),
                ("Channel", f"PJSIP/trunk-{number:08x}"),
                ("Uniqueid", f"1800000000.{number * 2}"),
                ("CallerIDNum", f"139{number:08d}"),
                ("Wait", "30"),
            ]

    def device_rows(self) -> Iterable[Headers]:
        for number in range(self._plan.members):
            yield [
                ("Event", "DeviceStateChange"),
                ("Device", f"PJSIP/{2000 + number}"),
                ("State", "NOT_INUSE"),
            ]

    async def originate(self, action: dict[str, str], variables: dict[str, str]) -> str:
        return "not here"

    def hang_up(self, channel: str) -> bool:
        return False

    def queue_pause(self, interface: str, paused: bool, reason: str) -> bool:
        return False


def run_pbx(pipe: Connection, plan: PbxPlan) -> None:
    """The process. First it says its port; then it answers `burst` and `pace`."""

    pin(1)
    asyncio.run(_serve(pipe, plan))


async def _serve(pipe: Connection, plan: PbxPlan) -> None:
    server = AmiServer("127.0.0.1", 0, USER, SECRET, QueueState(plan))
    await server.start()
    pipe.send(server.port)
    calls = Calls()
    while (request := await requests(pipe)) is not None:
        match request:
            case ("burst", first, count):
                wire = calls.burst(first, count)
                pipe.send(count * calls.events)
                await requests(pipe)  # the word to begin
                server.feed(wire)
            case ("alive", first, count):
                # Call by call an agent of its own; event by event all calls.
                alive = [calls.call(first + n, str(2000 + n).encode()) for n in range(count)]
                wire = b"".join(b"".join(together) for together in zip(*alive, strict=True))
                pipe.send(count * calls.events)
                await requests(pipe)
                server.feed(wire)
            case ("pace", first, rate, seconds, agents):
                pipe.send(await _pace(server, calls, first, rate, seconds, agents))
    await server.stop()


async def _pace(
    server: AmiServer, calls: Calls, first: int, rate: float, seconds: float, agents: int
) -> dict[str, float]:
    """`rate` calls a second arrive, each taken by another agent; when each call's AgentCalled went out."""
    popped: dict[str, float] = {}
    began = time.monotonic()
    for number in range(int(rate * seconds)):
        due = began + number / rate
        if (wait := due - time.monotonic()) > 0:
            await asyncio.sleep(wait)
        agent = 2000 + number % agents
        events = calls.call(first + number, str(agent).encode())
        linkedid = _LINKEDID.search(events[calls.popped_at])
        assert linkedid is not None
        popped[linkedid[1].decode()] = time.monotonic()
        server.feed(b"".join(events[: calls.popped_at + 1]))
        # The phone rings for a while; then the rest of the call.
        rest = b"".join(events[calls.popped_at + 1 :])
        asyncio.get_running_loop().call_later(1.0, server.feed, rest)
    return popped
