"""AMI actions sent to a PBX. Each value is a header of its own and never part of another value's text."""

import re
from collections.abc import Mapping
from uuid import UUID

from gateway.asterisk.link import PbxLink

LISTEN_CONTEXT = "hotline-listen"
MEDIA_CONNECTION = "hotline-media"
"""Name of the connection in websocket_client.conf; where gateways serve in turn, its beginning."""
NORMAL_CLEARING = 16
"""Q.850 cause of an ordinary hang-up."""


async def originate(
    link: PbxLink,
    channel: str,
    context: str,
    exten: str,
    *,
    variables: Mapping[str, str] | None = None,
    caller_id: str = "",
    timeout_s: float = 30.0,
) -> None:
    """Create a channel and send it to `exten` in `context` once answered. Returns when the PBX has started.

    Raises the same exceptions as `PbxLink.action`, and ValueError for a variable that contains a comma.
    """
    for name, value in (variables or {}).items():
        # app_originate splits a Variable header at commas.
        if "," in value:
            raise ValueError(f"variable {name}: a comma cannot be sent")
    await link.action(
        "Originate",
        {
            "Channel": channel,
            "Context": context,
            "Exten": exten,
            "Priority": "1",
            "Async": "true",
            "Timeout": str(int(timeout_s * 1000)),
            **({"CallerID": caller_id} if caller_id else {}),
            "Variable": [f"{name}={value}" for name, value in (variables or {}).items()],
        },
    )


async def originate_listener(link: PbxLink, channel: str, feed: UUID) -> None:
    """Listen to one channel: its audio is sent over AudioSocket as the stream `feed`."""
    await originate(
        link,
        f"Local/spy@{LISTEN_CONTEXT}/n",
        LISTEN_CONTEXT,
        "feed",
        variables={"__HOTLINE_SPY": channel, "__HOTLINE_FEED": str(feed)},
    )


def media_connection(address: str, *, shared: bool) -> str:
    """The name of the connection to the gateway at that address (HOST:PORT). `shared`: one of several."""
    return f"{MEDIA_CONNECTION}-{re.sub(r'[^A-Za-z0-9]', '-', address)}" if shared else MEDIA_CONNECTION


async def originate_media_socket(
    link: PbxLink, channel: str, feed: UUID, connection: str = MEDIA_CONNECTION
) -> None:
    """Listen to one channel over chan_websocket: the PBX connects to our websocket server with `feed`."""
    await originate(
        link,
        f"WebSocket/{connection}/c(slin)v(feed={feed})",
        LISTEN_CONTEXT,
        "spy",
        variables={"__HOTLINE_SPY": channel},
    )


async def hang_up(link: PbxLink, channel: str, cause: int = NORMAL_CLEARING) -> None:
    """Hang up a channel."""
    await link.action("Hangup", {"Channel": channel, "Cause": str(cause)})


async def queue_add(link: PbxLink, queue: str, interface: str, agent: str, penalty: int = 0) -> None:
    """Log an agent in to a queue."""
    await link.action(
        "QueueAdd",
        {
            "Queue": queue,
            "Interface": interface,
            "Penalty": str(penalty),
            "MemberName": agent,
            "StateInterface": interface,
        },
    )


async def queue_remove(link: PbxLink, queue: str, interface: str) -> None:
    """Log an agent out of a queue."""
    await link.action("QueueRemove", {"Queue": queue, "Interface": interface})


async def queue_pause(link: PbxLink, interface: str, paused: bool, reason: str = "") -> None:
    """Pause or unpause an agent in all queues."""
    await link.action(
        "QueuePause",
        {
            "Interface": interface,
            "Paused": "true" if paused else "false",
            **({"Reason": reason} if reason else {}),
        },
    )
