"""The PBXs: linked, followed, and the timers of their agents."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from agents.figures.service import FiguresService
from agents.timers import AgentTimers
from domain.pbx.snapshot import PbxSnapshot
from gateway import clock
from gateway.asterisk.actions import queue_pause
from gateway.asterisk.arrival import Arrival, take_charge
from gateway.asterisk.link import PbxLink
from gateway.calls.tracker import CallTracker
from gateway.facts.recorder import FactRecorder
from gateway.health import Check, ReadinessCheck
from gateway.module import Module
from gateway.outages import Outages
from gateway.pbx_state import PbxState
from gateway.runtime import Runtime
from gateway.settings import PbxSettings
from gateway.storage.calls import CallRepository
from gateway.storage.pbx_watch import PbxWatchRepository
from gateway.supervision import Job
from gateway.telephony import Telephony
from ivr.agi import FastAgiServer

SETTLE_EVERY_S = 10.0


class TelephonyModule(Module):
    """Provides `Telephony`: for each PBX a link, a state, and timers."""

    name = "telephony"
    needs = (FactRecorder, CallRepository, FiguresService, FastAgiServer)

    async def open(self, runtime: Runtime) -> None:
        """Bring up PBXs of our own where asked to, and prepare the links; the jobs connect them."""
        addresses = runtime.agi_address, runtime.audio_address
        pbxs = await runtime.start_pbxs(*addresses) if runtime.start_pbxs else runtime.settings.pbx
        self._served: set[str] = set()
        self._figures, self._facts = runtime.get(FiguresService), runtime.get(FactRecorder)
        self._outages: dict[str, Outages] = {}
        self._telephony = Telephony({pbx.name: pbx for pbx in pbxs})
        for pbx in pbxs:
            self._add(runtime, pbx)
        runtime.provide(self._telephony)

    def _add(self, runtime: Runtime, pbx: PbxSettings) -> None:
        telephony, settings = self._telephony, runtime.settings
        first, facts = telephony.first, runtime.get(FactRecorder)
        tracker = CallTracker(
            pbx.name,
            [line.model() for line in settings.lines],
            [agent.model() for agent in settings.agents if (agent.pbx or first) == pbx.name],
            missed_limit=settings.desk.missed_limit,
        )
        state = PbxState(tracker, facts, runtime.get(CallRepository))
        outages = Outages(pbx, state, facts, runtime.get(CallRepository), runtime.get(PbxWatchRepository))
        state.records_of = outages.records_of
        self._outages[pbx.name] = outages
        arrival = self._arrival(runtime)

        async def on_snapshot(snapshot: PbxSnapshot) -> None:
            if pbx.name not in self._served:
                # Once only: when the link comes back, the listeners found there are our own.
                self._served.add(pbx.name)
                await take_charge(link, snapshot, arrival)
            await state.on_snapshot(snapshot)

        link = PbxLink(pbx, state.on_event, state.on_state, on_snapshot, may_act=runtime.may_act)
        timers = AgentTimers(state.queue_state, LinkPauses(link), facts.record, self._follow, clock.now)
        state.after = timers.wake
        state.queue_state.restore(*runtime.get(FiguresService).left_of(pbx.name))
        telephony.states[pbx.name], telephony.links[pbx.name] = state, link
        telephony.timers[pbx.name] = timers

    def _arrival(self, runtime: Runtime) -> Arrival:
        addresses = {}
        if runtime.ownership is not None:
            # What the dialplan tries first is whoever serves, whatever was configured.
            addresses["HOTLINE_AGI"] = f"agi://{runtime.agi_address}/hotline"
            if runtime.audio_address:
                addresses["HOTLINE_AUDIO"] = runtime.audio_address
        lines = tuple(line.id for line in runtime.settings.lines)
        return Arrival(addresses, runtime.get(FastAgiServer).serves, lines)

    async def _keep_time(self) -> None:
        """Follow the machine's clock, where it was set, as soon as nothing goes on that was dated before."""
        while True:
            await asyncio.sleep(SETTLE_EVERY_S)
            states = self._telephony.states.values()
            if clock.HOUSE.was_set and not any(one.live_calls or one.queue_state.next_due for one in states):
                self._settle()

    def _settle(self) -> None:
        before = clock.now()
        by = clock.HOUSE.settle()
        after = clock.now()
        self._figures.today.moved(before, after)
        for state in self._telephony.states.values():
            self._facts.record(*state.queue_state.shift(after, by))

    async def _follow(self, agent: str) -> None:
        await self._telephony.follow_phone(agent)

    def jobs(self) -> Iterable[Job]:
        """The time, and for each PBX its timers, its link, and what happened while it was not linked."""
        yield Job("clock", self._keep_time)
        for name, timers in self._telephony.timers.items():
            yield Job(f"timers {name}", timers.run)
            yield Job(f"pbx {name}", self._telephony.links[name].run)
            yield Job(f"outages {name}", self._outages[name].run)

    def checks(self) -> Iterable[ReadinessCheck]:
        """Each PBX is linked."""
        return [_linked(name, link) for name, link in self._telephony.links.items()]

    def metrics(self) -> Iterable[Metric]:
        """Links, events and live calls of each PBX."""
        up = GaugeMetricFamily("hotline_pbx_up", "1 while the link to the PBX is up", labels=["pbx"])
        events = CounterMetricFamily("hotline_pbx_events", "PBX events folded", labels=["pbx"])
        live = GaugeMetricFamily("hotline_calls_live", "Calls going on", labels=["pbx", "state"])
        for name, state in self._telephony.states.items():
            up.add_metric([name], float(state.link.phase == "up"))
            events.add_metric([name], state.events)
            counts: dict[str, int] = {}
            for call in state.live_calls:
                counts[call.state.value] = counts.get(call.state.value, 0) + 1
            for value, count in counts.items():
                live.add_metric([name, value], count)
        return up, events, live


class LinkPauses:
    """Pauses of queue members by AMI: `agents.timers.MemberPauses`."""

    def __init__(self, link: PbxLink) -> None:
        self._link = link

    @property
    def connected(self) -> bool:
        """Whether the link is up and the state was read."""
        return self._link.state.phase == "up"

    async def pause(self, interface: str, paused: bool, reason: str = "") -> None:
        """Pause or unpause the member in all its queues."""
        await queue_pause(self._link, interface, paused, reason)


def _linked(name: str, link: PbxLink) -> Callable[[], Awaitable[Check]]:
    async def check() -> Check:
        return Check(f"pbx:{name}", link.state.phase == "up", link.state.reason or link.state.phase)

    return check
