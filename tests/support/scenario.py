"""A stage for call scenarios: a private Asterisk, phones with keys, the gateway's own link watching."""

import asyncio
import contextlib
import os
import re
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

from domain.calls import Call, CallState
from domain.facts import AnyFact, CallEnded
from domain.pbx.events import AnyPbxEvent
from domain.pbx.snapshot import PbxSnapshot
from gateway.asterisk.link import LinkState, PbxLink
from gateway.asterisk.normalise import normalise
from gateway.asterisk.private import PrivateAsterisk
from gateway.calls.resync import resync
from gateway.calls.tracker import CallTracker
from gateway.settings import PbxSettings, Settings
from tests.support.ami_client import PlainAmi
from tests.support.sip.softphone import Softphone

CAPTURES = Path(__file__).resolve().parents[1] / "data" / "ami"
DIALPLANS = CAPTURES.parent / "dialplan"

DIALPLAN = """
[hotline-agents](+)
include => scenario

[scenario]
include => parkedcalls
; a ring group; Local channels, optimised away and not; pick-up of 1001's ringing call; out through the trunk
exten => 600,1,Dial(PJSIP/1002&PJSIP/1003,20)
exten => 611,1,Dial(Local/1002@hotline-agents,20)
exten => 612,1,Dial(Local/1002@hotline-agents/n,20)
exten => 800,1,PickupChan(PJSIP/1001-,p)
 same => n,Hangup()
; listening in on 1001, and joining as a third party
; a line's queue that answers at once, for a second line of an agent's phone
exten => 646,1,Answer()
 same => n,Goto(hotline-queue,yiqilai,1)
exten => 850,1,Answer()
 same => n,ChanSpy(PJSIP/1001-,qS)
 same => n,Hangup()
exten => 860,1,Answer()
 same => n,BridgeAdd(${THIRD_PARTY_OF})
 same => n,Hangup()
exten => _9X.,1,Dial(PJSIP/trunk/sip:${EXTEN:1}@127.0.0.2:${OUTSIDE_PORT},30)

[hotline-incoming](+)
; Queues that let a caller go, or not in; then the caller goes on in the dialplan for two seconds.
exten => 64001,1,Goto(queue-ends,yiqilai,1)
exten => 64002,1,Goto(queue-ends,doorless,1)
exten => 64003,1,Goto(queue-ends,leaving,1)
exten => 64004,1,Goto(queue-ends,small,1)
exten => 64005,1,Goto(queue-ends,keyed,1)

[queue-ends]
exten => _[a-z].,1,Set(HOTLINE_LINE=yiqilai)
 same => n,Answer()
 same => n,Queue(${EXTEN},,,,${IF($["${EXTEN}" = "yiqilai"]?2:30)})
 same => n,Wait(2)
 same => n,Hangup()

[queue-keys]
exten => 5,1,Wait(2)
 same => n,Hangup()

[hotline-listen](+)
; in place of the audio that nobody here takes
exten => idle,1,Answer()
 same => n,Wait(30)
"""


QUEUES = """
[doorless]
joinempty = no
[leaving]
joinempty = yes
leavewhenempty = yes
[small]
maxlen = 1
[keyed]
context = queue-keys
"""

VOICEMAIL = """
[general]
format = wav
[default]
1001 => 1001,Wang Fang
1002 => 1002,Li Qiang
"""


class ScenarioAsterisk(PrivateAsterisk):
    """The rendered configuration, with the scenarios' extensions and an impatient queue."""

    def _prepare(self) -> None:
        super()._prepare()
        etc = self.directory / "etc"
        with (etc / "extensions.conf").open("a") as file:
            file.write(DIALPLAN)
            for name in ("corpus", "freepbx"):
                file.write((DIALPLANS / f"{name}.conf").read_text())
        (etc / "voicemail.conf").write_text(VOICEMAIL)
        (etc / "confbridge.conf").write_text("")
        modules = (etc / "modules.conf").read_text()
        for name in ("app_confbridge", "app_voicemail"):
            modules = modules.replace(f"noload = {name}.so\n", "")
        (etc / "modules.conf").write_text(modules)
        queues = (etc / "queues.conf").read_text()
        queues = queues.replace("timeout = 20", "timeout = 2").replace("retry = 2", "retry = 1")
        (etc / "queues.conf").write_text(queues + QUEUES + (DIALPLANS / "corpus-queues.conf").read_text())
        with (etc / "res_parking.conf").open("a") as file:
            # Nobody takes it: back to who parked it, whose phone rings this long.
            file.write("parkingtime = 3\ncomebackdialtime = 2\n")


class NoCallError(AssertionError):
    """A call was asked for where there is none."""


class Stage:
    """What a scenario has at hand. `tracker` watches by the real link; `facts` is all it said."""

    def __init__(
        self, asterisk: PrivateAsterisk, settings: Settings, through: PbxSettings | None = None
    ) -> None:
        """`through`: another way to the same PBX for the one who watches."""
        self.asterisk, self.settings = asterisk, settings
        self.tracker = self._new_tracker()
        self.facts: list[AnyFact] = []
        self.snapshot: PbxSnapshot | None = None
        self.logged: list[str] = []
        """What Asterisk's queue_log said of the last scene."""
        self._up = asyncio.Event()
        self.link = self._link(through or asterisk.pbx, self._on_event, self._on_snapshot)
        self.ami = PlainAmi(asterisk.options.ami_port, asterisk.pbx.username, asterisk.pbx.read_secret())
        self._stack = AsyncExitStack()

    def _new_tracker(self) -> CallTracker:
        profiles = [one.model() for one in self.settings.agents]
        return CallTracker(self.asterisk.pbx.name, [line.model() for line in self.settings.lines], profiles)

    def _link(self, pbx: PbxSettings, on_event: Any, on_snapshot: Any) -> PbxLink:
        async def on_state(state: LinkState) -> None:
            if state.phase == "up":
                self._up.set()

        return PbxLink(pbx, on_event, on_state, on_snapshot)

    async def _on_event(self, event: AnyPbxEvent) -> None:
        self.facts += self.tracker.apply(event)

    async def _on_snapshot(self, snapshot: PbxSnapshot) -> None:
        self.facts += resync(self.tracker, snapshot, [])

    async def __aenter__(self) -> "Stage":
        await self._stack.enter_async_context(self.ami)
        self._task = asyncio.ensure_future(self.link.run())
        await asyncio.wait_for(self._up.wait(), 10)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        await self._stack.aclose()

    # -- people ------------------------------------------------------------------------------------------
    def agent(self, user: str, **habits: Any) -> Softphone:
        """An agent's phone."""
        options = self.asterisk.options
        return Softphone(options.sip_port, user, options.phone_passwords[user], **habits)

    def outside(self, **habits: Any) -> Softphone:
        """A telephone beyond the trunk: a member of the public, or a responsible unit."""
        return Softphone(self.asterisk.options.sip_port, "outside", address="127.0.0.2", **habits)

    async def dialable(self, outside: Softphone) -> None:
        """Let 9<number> reach that phone."""
        await self.asterisk.cli(f"dialplan set global OUTSIDE_PORT {outside.port}")

    async def third_party_of(self, channel: str) -> None:
        """Let 860 join that channel's conversation."""
        await self.asterisk.cli(f"dialplan set global THIRD_PARTY_OF {channel}")

    # -- looking -----------------------------------------------------------------------------------------
    async def until(self, what: Callable[[], Any], timeout: float = 12.0) -> Any:
        """Wait until `what()` is true; its value. There may be no call to ask about yet."""
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            with contextlib.suppress(NoCallError):
                if found := what():
                    return found
            await asyncio.sleep(0.02)
        raise AssertionError(f"it did not come to pass; the picture: {self.tracker.calls}")

    async def talking(self, agent: str) -> Call:
        """The call on which that agent talks, in its bridge: before, no phone can transfer it."""

        def found() -> Call | None:
            for call in self.tracker.calls.values():
                bridged = [leg for leg in call.legs if leg.bridge is not None]
                if call.agent == agent and call.state is CallState.TALKING and len(bridged) > 1:
                    return call
            return None

        call: Call = await self.until(found)
        return call

    def call(self) -> Call:
        """The one call there is, or the caller's."""
        calls = list(self.tracker.calls.values())
        if not calls:
            raise NoCallError("there is no call")
        return next((one for one in calls if one.direction == "inbound"), calls[0])

    @property
    def ended(self) -> list[Call]:
        return [fact.call for fact in self.facts if isinstance(fact, CallEnded)]

    async def anew(self, known: list[Call]) -> tuple[CallTracker, PbxSnapshot]:
        """What a gateway that starts now makes of the PBX."""
        tracker, seen = self._new_tracker(), asyncio.Event()
        taken: list[PbxSnapshot] = []

        async def on_snapshot(snapshot: PbxSnapshot) -> None:
            taken.append(snapshot)
            resync(tracker, snapshot, known)
            seen.set()

        async def on_event(_: AnyPbxEvent) -> None: ...

        task = asyncio.ensure_future(self._link(self.asterisk.pbx, on_event, on_snapshot).run())
        try:
            await asyncio.wait_for(seen.wait(), 10)
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        return tracker, taken[0]

    async def same_picture(self, *, unknowing: bool = True) -> None:
        """A gateway that starts now sees what this one has watched, with the journal's help and without.

        Not `unknowing`: only with it, as where a caller waits for the agent who talks with somebody else.
        """
        await asyncio.sleep(0.1)
        watched = essentials(self.tracker)
        for known in (
            (list(self.tracker.calls.values()), []) if unknowing else (list(self.tracker.calls.values()),)
        ):
            fresh, _ = await self.anew(known)
            seen = essentials(fresh)
            assert seen == watched, f"anew, knowing {len(known)} calls: {seen}; watched: {watched}"
            if known:
                assert set(fresh.calls) == set(self.tracker.calls)

    # -- keeping -----------------------------------------------------------------------------------------
    @asynccontextmanager
    async def scene(self, name: str = "") -> AsyncIterator[None]:
        """One scenario from nothing to nothing; kept under its name, if any, where HOTLINE_CAPTURE is set."""
        self.facts.clear()
        start = len(self.ami.text)
        logged = len(self.queue_log())
        yield
        await self.until(lambda: not self.tracker.channels)
        await asyncio.sleep(0.1)
        self.logged = self.queue_log()[logged:]
        if name and (suffix := os.environ.get("HOTLINE_CAPTURE")):
            keep(name + (suffix if suffix != "1" else ""), self.ami.text[start:], self.logged)

    def queue_log(self) -> list[str]:
        """The lines of Asterisk's own log of queues that are about callers."""
        path = self.asterisk.pbx.queue_log
        assert path is not None
        lines = path.read_text().splitlines() if path.exists() else []
        return [line for line in lines if line.split("|")[1] != "NONE"]


def keep(name: str, text: str, logged: list[str]) -> None:
    """Store a capture, and beside it what Asterisk's queue_log says of it."""
    (CAPTURES / f"{name}.txt").write_text(trimmed(text), newline="")
    beside = CAPTURES / f"{name}.queue_log"
    beside.unlink(missing_ok=True)
    if logged:
        beside.write_text("\n".join(logged) + "\n")


def essentials(tracker: CallTracker) -> tuple[Any, ...]:
    """What there is to be seen of the live calls and the agents, but for holds, which the PBX cannot list."""
    calls = sorted(
        (
            sorted((leg.channel, leg.agent or "") for leg in call.legs if leg.ended_at is None),
            str(call.state).replace("held", "talking"),
            str(call.direction),
            sorted(talk.channel for talk in call.conversations if talk.ended_at is None),
            call.queue if call.state is CallState.QUEUED else None,
        )
        for call in tracker.calls.values()
    )
    agents = {
        agent.id: (str(agent.state).replace("on_hold", "talking"), agent.call_id is not None)
        for agent in tracker.queue_state.agents.values()
    }
    return calls, agents


NEEDLESS = re.compile(
    r"^(?:(?:Dest|Transferer|Transferee|Orig\w*|Second\w*|Target|LocalOne|LocalTwo|Parkee|Retriever)?"
    r"(?:Language|AccountCode|Priority|ChannelState|ChanVariable\(?.*))$|^Privilege$|^ChanVariable$|^SystemName$"
)


def trimmed(text: str) -> str:
    """An AMI log without what nobody reads: headers, events, variables that are not ours."""
    kept = []
    for block in text.split("\r\n\r\n"):
        lines = block.split("\r\n")
        names = dict(line.split(": ", 1) for line in lines if ": " in line)
        if normalise(names, "main", 0.0) is None:
            continue
        kept.append("\r\n".join(line for line in lines if not NEEDLESS.match(line.split(":", 1)[0])))
    return "\r\n\r\n".join(kept) + "\r\n\r\n"
