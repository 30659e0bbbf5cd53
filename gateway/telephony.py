"""The PBXs of a gateway: each with its link, its state and the timers of its agents."""

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field

from agents.timers import AgentTimers
from domain.calls import Call
from gateway.asterisk.link import PbxLink
from gateway.pbx_state import PbxState
from gateway.settings import PbxSettings


async def _follow_nobody(_: str) -> None:
    return


@dataclass
class Telephony:
    """The linked PBXs, by name."""

    pbxs: dict[str, PbxSettings] = field(default_factory=dict)
    links: dict[str, PbxLink] = field(default_factory=dict)
    states: dict[str, PbxState] = field(default_factory=dict)
    timers: dict[str, AgentTimers] = field(default_factory=dict)
    follow_phone: Callable[[str], Awaitable[None]] = _follow_nobody
    """Moves an agent's queue memberships to the phone they chose; given by call control."""

    @property
    def first(self) -> str:
        """The PBX of agents who name none."""
        return next(iter(self.pbxs), "")

    def live_calls(self) -> Iterable[Call]:
        """The calls going on now, on all PBXs."""
        return (call for state in self.states.values() for call in state.live_calls)

    def live_call(self, call_id: str) -> Call | None:
        """The call of that id, if it is going on."""
        found = (state.live_call(call_id) for state in self.states.values())
        return next((call for call in found if call is not None), None)
