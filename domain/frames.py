"""Typed frames of the stream (docs/stream.md): the source of the AsyncAPI document and the clients' types.

Frames are tagged by `type`, items by `topic`.
"""

from typing import Any, Literal

from msgspec import Struct

from domain.alarms import Alarm
from domain.calls import Call
from domain.figures import AgentFigures, QueueFigures
from domain.orders import Alert, Order
from domain.queues import AgentStatus, Queue
from domain.recogniser import Recogniser
from domain.transcripts import Utterance

Topic = Literal[
    "calls", "queues", "agents", "transcripts", "orders", "pbx", "figures", "asr", "alerts", "alarms"
]


class PbxLink(Struct, frozen=True):
    """The link to one PBX."""

    pbx: str
    up: bool
    reason: str
    since: float


class Item(Struct, frozen=True, tag_field="topic"):
    """One visible object; `key` identifies it within its topic."""

    key: str


class CallItem(Item, frozen=True, tag="calls"):
    value: Call


class QueueItem(Item, frozen=True, tag="queues"):
    value: Queue


class AgentItem(Item, frozen=True, tag="agents"):
    value: AgentStatus


class UtteranceItem(Item, frozen=True, tag="transcripts"):
    value: Utterance


class OrderItem(Item, frozen=True, tag="orders"):
    value: Order


class PbxItem(Item, frozen=True, tag="pbx"):
    value: PbxLink


class FiguresItem(Item, frozen=True, tag="figures"):
    value: dict[str, Any]
    """QueueFigures if the key is `<pbx>/<queue>/<span>`, AgentFigures if it is `agent/<id>`."""


class RecogniserItem(Item, frozen=True, tag="asr"):
    value: Recogniser


class AlertItem(Item, frozen=True, tag="alerts"):
    value: Alert


class AlarmItem(Item, frozen=True, tag="alarms"):
    value: Alarm


AnyItem = (
    CallItem
    | QueueItem
    | AgentItem
    | UtteranceItem
    | OrderItem
    | PbxItem
    | FiguresItem
    | RecogniserItem
    | AlertItem
    | AlarmItem
)
Figures = QueueFigures | AgentFigures


class Removal(Struct, frozen=True):
    """An object is no longer visible."""

    topic: Topic
    key: str


class Frame(Struct, frozen=True, tag_field="type", kw_only=True):
    """Base of all frames."""


class Hello(Frame, frozen=True, tag="hello", kw_only=True):
    """The first frame of every connection."""

    version: int
    epoch: str
    """Identifies this run of the gateway: a `seq` from another run is meaningless here."""
    time: float
    user: str
    role: str
    agent: str | None
    heartbeat: float
    """Seconds: the server sends a frame at least this often, plus up to a quarter."""


class Snapshot(Frame, frozen=True, tag="snapshot", kw_only=True):
    """Everything visible now."""

    seq: int
    items: list[AnyItem]


class Delta(Frame, frozen=True, tag="delta", kw_only=True):
    """What changed since the last frame with a `seq`: each key once, in its latest state."""

    seq: int
    changes: list[AnyItem]
    removals: list[Removal]


class Heartbeat(Frame, frozen=True, tag="heartbeat", kw_only=True):
    """Sent when nothing else has been sent for a while."""

    seq: int
    time: float


class Pong(Frame, frozen=True, tag="pong", kw_only=True):
    """The answer to `ping`."""

    time: float


class Fault(Struct, frozen=True):
    """Why a command was refused."""

    code: str
    """The kind of refusal (docs/commands.md)."""
    reason: str
    """The exact reason: a code of `domain.refusals`, filled in with `params`; `message` has it in English."""
    params: dict[str, Any]
    message: str


class Result(Frame, frozen=True, tag="result", kw_only=True, omit_defaults=True):
    """The answer to the command with that id: `result` if `ok`, else `error`."""

    id: str
    ok: bool
    result: Any = None
    error: Fault | None = None


ServerFrame = Hello | Snapshot | Delta | Heartbeat | Pong | Result


class Subscribe(Frame, frozen=True, tag="subscribe", kw_only=True):
    """Receive only these topics from now on; a snapshot follows."""

    topics: list[Topic]


class Resume(Frame, frozen=True, tag="resume", kw_only=True):
    """Continue after frame `since` of that epoch."""

    epoch: str
    since: int


class Ping(Frame, frozen=True, tag="ping", kw_only=True):
    """Answered by `pong`."""


class Command(Frame, frozen=True, tag="command", kw_only=True):
    """Do something (docs/commands.md). Repeating an `id` repeats the answer, not the action."""

    id: str
    name: str
    args: dict[str, Any] = {}


ClientFrame = Subscribe | Resume | Ping | Command
