"""One recorded call on the demo PBX, from the first ring to hang-up, reported as AMI events."""

import asyncio
import uuid
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

import numpy as np

from gateway.demo import CALLS
from gateway.demo.agi_client import AgiCaller
from gateway.demo.alaw import RATE, Samples, alaw_of, decode

if TYPE_CHECKING:
    from gateway.demo.pbx import DemoAgent, DemoPbx

FRAME = RATE // 50
RING_S = 1.5
Headers = list[tuple[str, str]]


class DemoChannel:
    """One channel; its audio can be heard from `position` on."""

    def __init__(self, name: str, uniqueid: str, number: str, caller_name: str) -> None:
        self.name, self.uniqueid = name, uniqueid
        self.number, self.caller_name = number, caller_name
        self.state = ("0", "Down")
        self.audio: Samples = np.zeros(0, np.int16)
        self.position = 0
        self.speaking = False
        self.over = asyncio.Event()
        self.bridge = ""

    def next_frame(self) -> Samples:
        """Return the next 20 ms of this channel's audio."""
        frame = np.zeros(FRAME, np.int16)
        if self.speaking:
            part = self.audio[self.position : self.position + FRAME]
            frame[: len(part)] = part
            self.position += FRAME
        return frame


class DemoCall:
    """Plays itself and reports to the PBX what happens."""

    def __init__(
        self,
        pbx: "DemoPbx",
        name: str,
        number: str,
        caller: str,
        did: str,
        digit: str,
        patience_s: float | None,
    ) -> None:
        self.pbx, self.name, self.did, self.digit = pbx, name, did, digit
        self.patience_s = patience_s
        serial = pbx.next_serial()
        self.linkedid = f"{pbx.epoch}.{serial}"
        self.caller = DemoChannel(f"PJSIP/trunk-{serial:08x}", self.linkedid, number, caller)
        self.caller.audio = decode(alaw_of(CALLS / f"{name}-caller.wav"))
        self.agent_channel: DemoChannel | None = None
        self.agent: DemoAgent | None = None
        line = pbx.line_of(did)
        self.variables = {"HOTLINE_LINE": line.id, "HOTLINE_QUEUE": line.queue}
        self.queue = line.queue
        self.waiting = False
        self.recording = Path(pbx.config.recordings_dir) / f"{self.linkedid}.raw"
        self.listeners: dict[str, list[asyncio.Queue[Samples]]] = {}
        self.abandoned = asyncio.Event()

    @property
    def channels(self) -> list[DemoChannel]:
        return [self.caller] + ([self.agent_channel] if self.agent_channel else [])

    # -- events --------------------------------------------------------------------------------------------
    def headers(self, channel: DemoChannel, prefix: str = "") -> Headers:
        """Return the channel headers of an AMI event."""
        return [
            (f"{prefix}Channel", channel.name),
            (f"{prefix}ChannelState", channel.state[0]),
            (f"{prefix}ChannelStateDesc", channel.state[1]),
            (f"{prefix}CallerIDNum", channel.number or "<unknown>"),
            (f"{prefix}CallerIDName", channel.caller_name or "<unknown>"),
            (f"{prefix}ConnectedLineNum", "<unknown>"),
            (f"{prefix}ConnectedLineName", "<unknown>"),
            (f"{prefix}Context", "hotline-incoming"),
            (f"{prefix}Exten", self.did),
            (f"{prefix}Priority", "1"),
            (f"{prefix}Uniqueid", channel.uniqueid),
            (f"{prefix}Linkedid", self.linkedid),
        ]

    def tell(self, event: str, channel: DemoChannel, *more: tuple[str, str]) -> None:
        self.pbx.ami.emit(event, [*self.headers(channel), *more])

    def _set(self, name: str, value: str) -> None:
        self.variables[name] = value
        self.tell("VarSet", self.caller, ("Variable", name), ("Value", value))

    def _state(self, channel: DemoChannel, number: str, words: str) -> None:
        channel.state = (number, words)
        self.tell("Newstate", channel)

    # -- the course of the call ------------------------------------------------------------------------------
    async def play(self) -> None:
        """Play the whole call."""
        self.caller.state = ("4", "Ring")
        self.tell("Newchannel", self.caller)
        for name in ("HOTLINE_LINE", "HOTLINE_QUEUE"):
            self._set(name, self.variables[name])
        self._set("HOTLINE_DID", self.did)
        self._state(self.caller, "6", "Up")
        self._set("HOTLINE_RECORDING", str(self.recording))
        self.tell("MixMonitorStart", self.caller)
        media = asyncio.create_task(self._media())
        try:
            await self._greet()
            if await self._wait_for_agent():
                await self._talk()
        finally:
            self._hang_up(self.caller)
            await media
            self.tell("MixMonitorStop", self.caller)
            if self.agent is not None:
                self.agent.call = None
                self.pbx.member_changed(self.agent, "NOT_INUSE")

    async def _greet(self) -> None:
        agi = AgiCaller(self.digit, self.variables, self._set, self.pbx.config.speed)
        environment = {
            "network": "yes",
            "network_script": "hotline",
            "request": f"agi://{self.pbx.config.agi[0]}/hotline",
            "channel": self.caller.name,
            "language": "zh",
            "type": "PJSIP",
            "uniqueid": self.caller.uniqueid,
            "callerid": self.caller.number or "unknown",
            "calleridname": self.caller.caller_name.replace("\n", " ") or "unknown",
            "dnid": self.did,
            "context": "hotline-answer",
            "extension": "s",
            "priority": "7",
        }
        await agi.run(self.pbx.config.agi, environment)
        line = self.pbx.line_by_id(self.variables["HOTLINE_LINE"])
        self.queue = line.queue

    async def _wait_for_agent(self) -> bool:
        position = str(self.pbx.waiting_in(self.queue) + 1)
        self.waiting = True
        self.tell(
            "QueueCallerJoin", self.caller, ("Queue", self.queue), ("Position", position), ("Count", position)
        )
        loop = asyncio.get_running_loop()
        joined = loop.time()
        while True:
            self.agent = self.pbx.free_agent(self.queue)
            if self.agent is not None:
                self.agent.call = self
                break
            impatient = self.patience_s is not None and loop.time() - joined > self.patience_s
            if impatient or self.abandoned.is_set():
                self.waiting = False
                self.tell("QueueCallerAbandon", self.caller, ("Queue", self.queue), ("Position", position))
                self.tell("QueueCallerLeave", self.caller, ("Queue", self.queue), ("Position", position))
                return False
            await asyncio.sleep(0.05)
        agent = self.agent
        serial = self.pbx.next_serial()
        phone = agent.phone.removesuffix("/n")
        channel = DemoChannel(f"{phone}-{serial:08x}", f"{self.pbx.epoch}.{serial}", agent.id, agent.name)
        channel.audio = decode(alaw_of(CALLS / f"{self.name}-agent.wav"))
        self.agent_channel = channel
        member = [("Queue", self.queue), ("Interface", agent.phone), ("MemberName", agent.id)]
        self.tell("Newchannel", channel)
        both = [*self.headers(self.caller), *self.headers(channel, "Dest")]
        self.pbx.ami.emit("AgentCalled", [*both, *member])
        self.pbx.ami.emit("DialBegin", [*both, ("DialString", agent.id)])
        self._state(channel, "5", "Ringing")
        self.pbx.member_changed(agent, "RINGING")
        await asyncio.sleep(RING_S / self.pbx.config.speed)
        self._state(channel, "6", "Up")
        self.pbx.ami.emit("DialEnd", [*both, ("DialStatus", "ANSWER")])
        self.pbx.member_changed(agent, "INUSE")
        self.waiting = False
        self.tell("QueueCallerLeave", self.caller, ("Queue", self.queue), ("Position", "1"), ("Count", "0"))
        held = str(round(loop.time() - joined))
        both = [*self.headers(self.caller), *self.headers(channel, "Dest")]
        self.pbx.ami.emit("AgentConnect", [*both, *member, ("HoldTime", held), ("RingTime", "1")])
        bridge = str(uuid.uuid4())
        for count, one in enumerate((self.caller, channel), 1):
            one.bridge = bridge
            self.tell(
                "BridgeEnter",
                one,
                ("BridgeUniqueid", bridge),
                ("BridgeType", "basic"),
                ("BridgeNumChannels", str(count)),
            )
        return True

    async def _talk(self) -> None:
        assert self.agent_channel is not None
        assert self.agent is not None
        for channel in self.channels:
            channel.speaking = True
        length = max(len(channel.audio) for channel in self.channels)
        while not self.caller.over.is_set() and min(c.position for c in self.channels) < length:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
        talked = str(round(self.caller.position / RATE))
        for channel in self.channels:
            channel.bridge = ""
            self.tell("BridgeLeave", channel, ("BridgeUniqueid", ""), ("BridgeNumChannels", "0"))
        both = [*self.headers(self.caller), *self.headers(self.agent_channel, "Dest")]
        self.pbx.ami.emit(
            "AgentComplete",
            [
                *both,
                ("Queue", self.queue),
                ("Interface", self.agent.phone),
                ("MemberName", self.agent.id),
                ("HoldTime", "0"),
                ("TalkTime", talked),
                ("Reason", "caller"),
            ],
        )
        self._hang_up(self.agent_channel)

    def _hang_up(self, channel: DemoChannel) -> None:
        channel.over.set()
        self.tell("Hangup", channel, ("Cause", "16"), ("Cause-txt", "Normal Clearing"))

    # -- audio -----------------------------------------------------------------------------------------------
    def listen(self, channel: str) -> tuple[DemoChannel, asyncio.Queue[Samples]] | None:
        """Listen to one channel from now on."""
        for one in self.channels:
            if one.name == channel and not one.over.is_set():
                frames: asyncio.Queue[Samples] = asyncio.Queue()
                self.listeners.setdefault(channel, []).append(frames)
                return one, frames
        return None

    async def _media(self) -> None:
        """Drive the call's audio: every 20 ms, record a frame and pass it to the listeners."""
        loop = asyncio.get_running_loop()
        due = loop.time()
        self.recording.parent.mkdir(parents=True, exist_ok=True)
        with self.recording.open("wb") as file:
            while not self.caller.over.is_set():
                frames = {one.name: one.next_frame() for one in self.channels}
                silence = np.zeros(FRAME, np.int16)
                to_caller = frames[self.agent_channel.name] if self.agent_channel else silence
                stereo = np.stack([frames[self.caller.name], to_caller], axis=1).astype("<i2")
                file.write(stereo.tobytes())
                for name, frame in frames.items():
                    for queue in self.listeners.get(name, ()):
                        queue.put_nowait(frame)
                due += 0.02 / self.pbx.config.speed
                await asyncio.sleep(max(0.0, due - loop.time()))


async def feed(
    address: tuple[str, int], stream: UUID, channel: DemoChannel, frames: "asyncio.Queue[Samples]"
) -> None:
    """Speak AudioSocket as Asterisk's application does: our id, a frame every 20 ms, goodbye."""
    try:
        reader, writer = await asyncio.open_connection(*address)
    except OSError:
        return
    try:
        writer.write(b"\x01\x00\x10" + stream.bytes)
        while not (channel.over.is_set() and frames.empty()):
            try:
                frame = await asyncio.wait_for(frames.get(), 0.5)
            except TimeoutError:
                continue
            data = frame.astype("<i2").tobytes()
            writer.write(b"\x10" + len(data).to_bytes(2, "big") + data)
            await writer.drain()
            if reader.at_eof():
                return
        writer.write(b"\x00\x00\x00")
        await writer.drain()
    except ConnectionError:
        pass
    finally:
        writer.close()
