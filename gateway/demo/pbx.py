"""The demo PBX: recorded calls over the real AMI, FastAGI and AudioSocket wire protocols."""

import asyncio
import itertools
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self
from uuid import UUID

import structlog

from domain.lines import Line
from gateway.demo.ami_server import AmiServer, Headers
from gateway.demo.call import DemoCall, DemoChannel, feed

log = structlog.get_logger(__name__)

STATUS = {"NOT_INUSE": "1", "INUSE": "2", "UNAVAILABLE": "5", "RINGING": "6"}


@dataclass(frozen=True)
class DemoPbxConfig:
    """Configuration of the demo PBX; addresses are (host, port)."""

    username: str
    secret: str
    lines: tuple[Line, ...]
    agents: tuple[tuple[str, str, str, dict[str, int]], ...]
    """(id, name, phone, line id → penalty)."""
    agi: tuple[str, int]
    audiosocket: tuple[str, int]
    recordings_dir: Path
    speed: float = 1.0
    """Speed-up factor for time; only for tests."""
    host: str = "127.0.0.1"
    ami_port: int = 0


@dataclass
class DemoAgent:
    """An agent at a demo phone."""

    id: str
    name: str
    phone: str
    lines: dict[str, int]
    device: str = "NOT_INUSE"
    paused: bool = False
    reason: str = ""
    call: DemoCall | None = None
    last: float = field(default=0.0)


class DemoPbx:
    """Runs inside `async with DemoPbx(config) as pbx:`; log in at `pbx.ami_port`."""

    def __init__(self, config: DemoPbxConfig) -> None:
        self.config = config
        self.epoch = int(time.time())
        self._serials = itertools.count(1)
        self.agents = [DemoAgent(*agent) for agent in config.agents]
        self.calls: list[DemoCall] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self.ami = AmiServer(config.host, config.ami_port, config.username, config.secret, self)

    @property
    def ami_port(self) -> int:
        """The bound AMI port."""
        return self.ami.port

    async def __aenter__(self) -> Self:
        await self.ami.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.ami.stop()

    async def place_call(
        self,
        name: str,
        *,
        caller_number: str = "",
        caller_name: str = "",
        did: str = "",
        digit: str = "",
        patience_s: float | None = None,
    ) -> str:
        """Play a recorded call and return its Linkedid when it is over.

        With `patience_s` the caller gives up waiting after so many seconds.
        """
        number = did or self.config.lines[0].numbers[0]
        call = DemoCall(self, name, caller_number, caller_name, number, digit, patience_s)
        self.calls.append(call)
        try:
            await call.play()
        finally:
            self.calls.remove(call)
        return call.linkedid

    # -- used by calls ---------------------------------------------------------------------------------------
    def next_serial(self) -> int:
        """Return the next channel number."""
        return next(self._serials)

    def line_of(self, did: str) -> Line:
        """Return the line a number reaches; the first line for any other number."""
        return next((line for line in self.config.lines if did in line.numbers), self.config.lines[0])

    def line_by_id(self, line_id: str) -> Line:
        """Return the line with that id; the first line for any other id."""
        return next((line for line in self.config.lines if line.id == line_id), self.config.lines[0])

    def waiting_in(self, queue: str) -> int:
        """Count the callers waiting."""
        return sum(1 for call in self.calls if call.waiting and call.queue == queue)

    def free_agent(self, queue: str) -> DemoAgent | None:
        """Return who takes the next call: lowest penalty, then longest idle."""
        line = next(line.id for line in self.config.lines if line.queue == queue)
        free = [agent for agent in self.agents if line in agent.lines and not agent.call and not agent.paused]
        return min(free, key=lambda agent: (agent.lines[line], agent.last), default=None)

    def member_changed(self, agent: DemoAgent, device: str) -> None:
        """Report a change in the state of the agent's phone."""
        agent.device = device
        if device == "NOT_INUSE":
            agent.last = time.time()
        self.ami.emit("DeviceStateChange", [("Device", agent.phone), ("State", device)])
        for queue, penalty in self._queues_of(agent):
            member = [("Queue", queue), *self._member(agent, penalty)]
            self.ami.emit(
                "QueueMemberStatus", [*member, ("MemberName", agent.id), ("Interface", agent.phone)]
            )

    def _queues_of(self, agent: DemoAgent) -> Iterable[tuple[str, int]]:
        return ((line.queue, agent.lines[line.id]) for line in self.config.lines if line.id in agent.lines)

    @staticmethod
    def _member(agent: DemoAgent, penalty: int) -> Headers:
        return [
            ("StateInterface", agent.phone),
            ("Membership", "static"),
            ("Penalty", str(penalty)),
            ("CallsTaken", "0"),
            ("LastCall", str(int(agent.last))),
            ("InCall", "1" if agent.call else "0"),
            ("Status", STATUS.get(agent.device, "0")),
            ("Paused", "1" if agent.paused else "0"),
            ("PausedReason", agent.reason),
            ("Ringinuse", "0"),
        ]

    # -- used by AMI -----------------------------------------------------------------------------------------
    def _live(self) -> Iterable[tuple[DemoCall, DemoChannel]]:
        return [(call, one) for call in self.calls for one in call.channels if not one.over.is_set()]

    def channel_rows(self) -> Iterable[Headers]:
        for call, channel in self._live():
            variables = [("ChanVariable", f"{k}={v}") for k, v in call.variables.items()]
            row = [("Event", "CoreShowChannel"), *call.headers(channel), *variables]
            yield [*row, ("Application", "Queue"), ("Duration", "00:00:01"), ("BridgeId", channel.bridge)]

    def bridge_rows(self) -> Iterable[Headers]:
        for bridge in sorted({channel.bridge for _, channel in self._live() if channel.bridge}):
            yield [
                ("Event", "BridgeListItem"),
                ("BridgeUniqueid", bridge),
                ("BridgeType", "basic"),
                ("BridgeNumChannels", str(len(self.bridge_members(bridge)))),
            ]

    def bridge_members(self, bridge: str) -> list[str]:
        return [channel.uniqueid for _, channel in self._live() if channel.bridge == bridge]

    def queue_rows(self) -> Iterable[Headers]:
        for line in self.config.lines:
            waiting = [call for call in self.calls if call.waiting and call.queue == line.queue]
            yield [
                ("Event", "QueueParams"),
                ("Queue", line.queue),
                ("Max", "0"),
                ("Strategy", "leastrecent"),
                ("Calls", str(len(waiting))),
                ("ServiceLevel", str(round(line.service_level_s))),
            ]
            for agent in self.agents:
                if line.id in agent.lines:
                    yield [
                        ("Event", "QueueMember"),
                        ("Queue", line.queue),
                        ("Name", agent.id),
                        ("Location", agent.phone),
                        *self._member(agent, agent.lines[line.id]),
                    ]
            for position, call in enumerate(waiting, 1):
                yield [
                    ("Event", "QueueEntry"),
                    ("Queue", line.queue),
                    ("Position", str(position)),
                    ("Channel", call.caller.name),
                    ("Uniqueid", call.caller.uniqueid),
                    ("CallerIDNum", call.caller.number),
                    ("Wait", "1"),
                ]

    def device_rows(self) -> Iterable[Headers]:
        for agent in self.agents:
            yield [("Event", "DeviceStateChange"), ("Device", agent.phone), ("State", agent.device)]

    async def originate(self, action: dict[str, str], variables: dict[str, str]) -> str:
        """Originate a listener, the only thing possible here; return why not, or nothing."""
        if action.get("context") != "hotline-listen" or action.get("exten") != "feed":
            return "Extension does not exist."
        try:
            stream = UUID(variables.get("HOTLINE_FEED", ""))
        except ValueError:
            return "HOTLINE_FEED is not a UUID"
        for call in self.calls:
            heard = call.listen(variables.get("HOTLINE_SPY", ""))
            if heard is not None:
                task = asyncio.create_task(feed(self.config.audiosocket, stream, *heard))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
                return ""
        return "No such channel"

    def hang_up(self, channel: str) -> bool:
        """End the call that has that channel."""
        for call, one in self._live():
            if one.name == channel:
                call.abandoned.set()
                call.caller.over.set()
                return True
        return False

    def queue_pause(self, interface: str, paused: bool, reason: str) -> bool:
        """Pause or unpause an agent in all queues."""
        agent = next((agent for agent in self.agents if agent.phone == interface), None)
        if agent is None:
            return False
        agent.paused, agent.reason = paused, reason if paused else ""
        for queue, penalty in self._queues_of(agent):
            member = [("Queue", queue), *self._member(agent, penalty)]
            member += [("MemberName", agent.id), ("Interface", agent.phone)]
            self.ami.emit("QueueMemberPause", member)
        return True
