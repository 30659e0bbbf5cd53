"""What administrators see and do: the deployment as it is, the doctor's round. Implements the web's port."""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence

from msgspec import structs

from domain.deployment import WHERE, AgentView, EndpointState, Overview, PbxView, Place
from gateway.asterisk.link import PbxLink
from gateway.doctor import examine
from gateway.doctor.findings import Finding, detail, fix, what
from gateway.settings import PbxSettings, Settings
from gateway.storage.leases import LeaseRepository
from gateway.storage.orders import OrderRepository
from gateway.storage.outbox import SqlOutbox
from gateway.tasks import tell_failure

ROUND_S = 120.0


class Administration:
    """Over the running gateway's parts."""

    def __init__(
        self,
        settings: Settings,
        pbxs: Mapping[str, PbxSettings],
        links: Mapping[str, PbxLink],
        outbox: SqlOutbox,
        orders: OrderRepository,
        leases: LeaseRepository | None = None,
    ) -> None:
        self._settings = settings
        self._pbxs = pbxs
        self._links = links
        self._outbox = outbox
        self._orders = orders
        self._leases = leases
        self._round: asyncio.Task[list[Finding]] | None = None

    async def overview(self) -> Overview:
        """The deployment now."""
        settings = self._settings
        first = next(iter(self._pbxs), "")
        return Overview(
            source=settings.source,
            lines=[line.model() for line in settings.lines],
            agents=[
                AgentView(
                    id=agent.id,
                    name=agent.name,
                    phone=agent.phone,
                    desk_phone=agent.desk_phone or "",
                    pbx=agent.pbx or first,
                    lines=dict(agent.lines),
                )
                for agent in settings.agents
            ],
            pause_reasons=list(settings.desk.pause_reasons),
            alarms=[alarm.model() for alarm in settings.alarms],
            pbxs=[self._pbx(pbx) for pbx in self._pbxs.values()],
            endpoints=await self._endpoints(),
            leases=[] if self._leases is None else await self._leases.list_leases(),
            where=WHERE,
        )

    def _pbx(self, pbx: PbxSettings) -> PbxView:
        state = self._links[pbx.name].state
        return PbxView(
            name=pbx.name,
            host=pbx.host,
            up=state.phase == "up",
            reason="" if state.phase == "up" else state.reason or state.phase,
            live_audio=pbx.live_audio,
        )

    async def _endpoints(self) -> list[EndpointState]:
        known = await self._outbox.by_endpoint()
        shown = [
            structs.replace(
                known.pop(one.id, EndpointState(id=one.id, host="")),
                host=str(one.url.host),
                lines=tuple(one.lines),
            )
            for one in self._settings.workorders
        ]
        return shown + [structs.replace(left, configured=False) for left in known.values()]

    async def doctor(self) -> Sequence[Finding]:
        """The doctor's round through everything; asked again meanwhile, the same round's findings.

        A round that takes over two minutes ends with a finding that says so.
        """
        if self._round is None:
            self._round = asyncio.create_task(self._examine(), name="doctor")
            self._round.add_done_callback(tell_failure)
            self._round.add_done_callback(lambda _: setattr(self, "_round", None))
        return await asyncio.shield(self._round)

    async def _examine(self) -> list[Finding]:
        # The PBXs that are really linked: an standalone gateway brings one that no file names.
        settings = self._settings.model_copy(update={"pbx": list(self._pbxs.values())})
        findings: list[Finding] = []
        try:
            async with asyncio.timeout(ROUND_S):
                async for finding in examine(settings):
                    findings.append(finding)  # noqa: PERF401 - kept where time runs out
        except TimeoutError:
            after = findings[-1].what.text if findings else ""
            told = detail("out_of_time", seconds=round(ROUND_S), after=after)
            findings.append(Finding(what("doctor"), False, told, fix("see_log")))
        return findings

    async def places(self, since: float) -> list[Place]:
        """Where orders made from `since` (POSIX seconds) on are about, the most frequent first."""
        counted: dict[tuple[str, str | None], Counter[str]] = {}
        for town, village, category in await self._orders.places(since):
            counted.setdefault((town, village), Counter())[category] += 1
        places = [
            Place(town=town, village=village, count=categories.total(), categories=dict(categories))
            for (town, village), categories in counted.items()
        ]
        return sorted(places, key=lambda place: (-place.count, place.town, place.village or ""))
