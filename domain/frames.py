"""The stream's frames, typed: what docs/stream.md tells, the AsyncAPI document and the clients are made of.

`type` tells a frame, `topic` an item.
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
    """One thing that is to be seen; `key` names it within its topic."""

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
    """QueueFigures or AgentFigures, by key: `<pbx>/<queue>/<span>`, `agent/<id>`."""


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
    """Something is no longer to be seen."""

    topic: Topic
    key: str


class Frame(Struct, frozen=True, tag_field="type", kw_only=True):
    """Base of all frames."""


class Hello(Frame, frozen=True, tag="hello", kw_only=True):
    """The first frame of every connection."""

    version: int
    epoch: str
    """Names this run of the gateway: a `seq` of another run means nothing here."""
    time: float
    user: str
    role: str
    agent: str | None
    heartbeat: float
    """Seconds: something is sent at least every so often (and a quarter)."""


class Snapshot(Frame, frozen=True, tag="snapshot", kw_only=True):
    """All that is to be seen now."""

    seq: int
    items: list[AnyItem]


class Delta(Frame, frozen=True, tag="delta", kw_only=True):
    """What changed since the last frame with a `seq`, each key once, in its latest state."""

    seq: int
    changes: list[AnyItem]
    removals: list[Removal]


class Heartbeat(Frame, frozen=True, tag="heartbeat", kw_only=True):
    """Nothing else was sent for a while."""

    seq: int
    time: float


class Pong(Frame, frozen=True, tag="pong", kw_only=True):
    """Answer to `ping`."""

    time: float


class Fault(Struct, frozen=True):
    """Why a command was not done."""

    code: str
    """The kind of refusal (docs/commands.md)."""
    reason: str
    """Why exactly: a code of `domain.refusals`, said with `params`; `message` in English."""
    params: dict[str, Any]
    message: str


class Result(Frame, frozen=True, tag="result", kw_only=True, omit_defaults=True):
    """Answer to the command of that id: `result` where `ok`, else `error`."""

    id: str
    ok: bool
    result: Any = None
    error: Fault | None = None


ServerFrame = Hello | Snapshot | Delta | Heartbeat | Pong | Result


class Subscribe(Frame, frozen=True, tag="subscribe", kw_only=True):
    """Only these topics from now on; a snapshot follows."""

    topics: list[Topic]


class Resume(Frame, frozen=True, tag="resume", kw_only=True):
    """Go on from there."""

    epoch: str
    since: int


class Ping(Frame, frozen=True, tag="ping", kw_only=True):
    """Answered by `pong`."""


class Command(Frame, frozen=True, tag="command", kw_only=True):
    """Do something (docs/commands.md); the same `id` again is answered again, not done again."""

    id: str
    name: str
    args: dict[str, Any] = {}


ClientFrame = Subscribe | Resume | Ping | Command
