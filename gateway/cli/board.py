"""The terminal board of `hotline watch`: turns a view into something Rich can print. Pure."""

from typing import TypeVar

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from domain.calls import Call, CallState
from domain.frames import PbxLink
from domain.queues import AgentState, AgentStatus, Queue
from gateway.client.stream import View

Shown = TypeVar("Shown")
AGENT = {
    AgentState.LOGGED_OUT: ("签出", "dim"),
    AgentState.AVAILABLE: ("空闲", "green"),
    AgentState.RINGING: ("振铃", "yellow"),
    AgentState.TALKING: ("通话", "cyan"),
    AgentState.ON_HOLD: ("保持", "magenta"),
    AgentState.WRAP_UP: ("话后处理", "blue"),
    AgentState.PAUSED: ("示忙", "red"),
    AgentState.UNREACHABLE: ("话机离线", "red"),
}
CALL = {
    CallState.IVR: "语音导航",
    CallState.QUEUED: "排队",
    CallState.RINGING: "振铃",
    CallState.TALKING: "通话",
    CallState.HELD: "保持",
    CallState.ENDED: "已结束",
}


def board(view: View, now: float, *, connected: bool) -> RenderableType:
    """Render PBX links, queues, agents and calls as of `now` (POSIX seconds)."""
    parts: list[RenderableType] = []
    if not connected:
        parts.append(Text("与网关的连接已断开，正在重连 connection lost, reconnecting", style="bold red"))
    parts += [
        Text(f"PBX {plain(link.pbx)} 断开: {plain(link.reason)}", style="bold red")
        for link in _of(view, "pbx", PbxLink)
        if not link.up
    ]
    parts += [_queues(view, now), _agents(view, now), _calls(view, now)]
    return Group(*parts)


def _queues(view: View, now: float) -> Table:
    table = _table("队列 queues", "队列", "线路", "等待", "最长等待", "签入坐席")
    for queue in sorted(_of(view, "queues", Queue), key=lambda one: (one.pbx, one.name)):
        longest = max((now - one.since for one in queue.waiting), default=0.0)
        waiting = Text(str(len(queue.waiting)), style="bold yellow" if queue.waiting else "")
        table.add_row(plain(queue.name), plain(queue.line or "-"), waiting, clock(longest), str(queue.agents))
    return table


def _agents(view: View, now: float) -> Table:
    table = _table("坐席 agents", "工号", "姓名", "状态", "时长", "原因", "队列")
    for agent in sorted(_of(view, "agents", AgentStatus), key=lambda one: one.id):
        word, style = AGENT.get(agent.state, (str(agent.state), ""))
        table.add_row(
            plain(agent.id),
            plain(agent.name),
            Text(word, style=style),
            clock(now - agent.since),
            plain(agent.reason),
            plain(" ".join(agent.queues)),
        )
    return table


def _calls(view: View, now: float) -> Table:
    table = _table("通话 calls", "主叫", "被叫", "线路", "状态", "坐席", "时长")
    for call in sorted(_of(view, "calls", Call), key=lambda one: one.started_at):
        ended = call.ended_at if call.ended_at is not None else now
        table.add_row(
            plain(call.caller.number),
            plain(call.called),
            plain(call.line or "-"),
            Text(CALL.get(call.state, str(call.state)), style="dim" if call.ended_at else ""),
            plain(call.agent or "-"),
            clock(ended - call.started_at),
        )
    return table


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", expand=True)
    for column in columns:
        table.add_column(column)
    return table


def _of(view: View, topic: str, kind: type[Shown]) -> list[Shown]:
    return [value for value in view.of(topic).values() if isinstance(value, kind)]


def clock(seconds: float) -> str:
    """Format as `m:ss`, or `h:mm:ss`."""
    whole = max(0, int(seconds))
    hours, rest = divmod(whole, 3600)
    return f"{hours}:{rest // 60:02}:{rest % 60:02}" if hours else f"{rest // 60}:{rest % 60:02}"


def plain(text: str) -> Text:
    """Make untrusted text safe to print: no markup and no terminal control characters."""
    return Text("".join(mark if mark.isprintable() else "\ufffd" for mark in text))
