"""What a process does first on a PBX that it begins to serve: clear away what an earlier one left there."""

import contextlib
from collections.abc import Awaitable, Callable, Mapping

import structlog
from msgspec import Struct

from domain.pbx.errors import ActionRefused, PbxError
from domain.pbx.snapshot import ChannelSnapshot, PbxSnapshot
from gateway.asterisk.actions import LISTEN_CONTEXT, MEDIA_CONNECTION, hang_up
from gateway.asterisk.link import PbxLink

log = structlog.get_logger(__name__)

LISTENERS = (f"Local/spy@{LISTEN_CONTEXT}-", f"WebSocket/{MEDIA_CONNECTION}")
"""How the names of channels begin that carry live audio; hold music is not among them."""
QUEUES = "hotline-queue"
"""The dialplan's context of the lines' queues, where a caller continues after the IVR."""


class Arrival(Struct, frozen=True):
    """What the PBX is told of the process that serves it now."""

    addresses: Mapping[str, str]
    """Global variables of the dialplan: where FastAGI and live audio are. Empty: they stay as configured."""
    in_ivr: Callable[[str], bool]
    """Whether the channel with that unique id is in our own IVR."""
    lines: tuple[str, ...]
    """Ids of the lines, the first is for callers of no known one."""


async def take_charge(link: PbxLink, snapshot: PbxSnapshot, arrival: Arrival) -> None:
    """End the listeners of an earlier process, and set the addresses of ours.

    Where addresses are set, the earlier process may only have been stopped: its sockets are open, and callers
    in its IVR would wait there for ever. They go on to their queue.
    """
    try:
        for name, value in arrival.addresses.items():
            await link.action("Setvar", {"Variable": name, "Value": value})
        for row in snapshot.channels:
            if row.channel.startswith(LISTENERS):
                await _gently(hang_up(link, row.channel))
            elif arrival.addresses and row.application == "AGI" and not arrival.in_ivr(row.uniqueid):
                log.warning("caller_taken_out_of_ivr", channel=row.channel)
                await _gently(_to_queue(link, row, arrival.lines))
    except PbxError as error:
        log.warning("pbx_not_cleared", pbx=snapshot.pbx, error=str(error))


async def _to_queue(link: PbxLink, row: ChannelSnapshot, lines: tuple[str, ...]) -> None:
    line = row.variables.get("HOTLINE_LINE", "")
    exten = line if line in lines else next(iter(lines), "")
    await link.action(
        "Redirect", {"Channel": row.channel, "Context": QUEUES, "Exten": exten, "Priority": "1"}
    )


async def _gently(action: Awaitable[None]) -> None:
    """A channel that is gone by itself is as good."""
    with contextlib.suppress(ActionRefused):
        await action
