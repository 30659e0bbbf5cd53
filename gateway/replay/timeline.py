"""Turn facts into call timelines in plain words. Pure."""

from collections.abc import Iterator

from msgspec import Struct, field

from domain import facts as f
from domain.calls import Call, EndedBy, EndReason, Incident, IncidentKind, MissedReason
from domain.facts import AnyFact
from domain.hangup_causes import in_words

BEFORE_CAPTURE = "before_capture"
"""`CallUpdated.what` of a call that went on already when the capture began."""
END = {
    EndReason.COMPLETED: "通话完成 completed",
    EndReason.ABANDONED_IVR: "语音导航中挂机 abandoned in IVR",
    EndReason.ABANDONED_QUEUE: "排队中放弃 abandoned in queue",
    EndReason.ABANDONED_RINGING: "振铃中放弃 abandoned while ringing",
    EndReason.QUEUE_TIMEOUT: "排队超时 queue timeout",
    EndReason.ABANDONED_PARKED: "驻留中放弃 abandoned while parked",
    EndReason.MERGED: "并入另一通话 merged into another call",
    EndReason.FAILED: "未接通 failed",
    EndReason.UNSEEN: "结束时未被监视 ended unseen",
}

MISSED = {
    MissedReason.NO_ANSWER: "未应答 agent {} did not answer",
    MissedReason.DECLINED: "拒接 agent {} declined",
    MissedReason.BUSY: "忙 agent {} was busy",
    MissedReason.UNREACHABLE: "无法接通 agent {} could not be reached",
}

ENDED_BY = {
    EndedBy.CALLER: "对方挂机 the caller's side hung up",
    EndedBy.AGENT: "坐席挂机 the agent's side hung up",
    EndedBy.SYSTEM: "系统挂机 hung up by the system",
}

INCIDENTS: dict[str, str] = {
    IncidentKind.VOICEMAIL: "转语音信箱 sent to voicemail",
    IncidentKind.BLOCKED: "拦截 blocked by the PBX",
    IncidentKind.RECORDING_PAUSED: "录音暂停 recording paused",
    IncidentKind.RECORDING_RESUMED: "录音恢复 recording resumed",
}


class Entry(Struct, frozen=True):
    """One event. `at` is POSIX seconds; `offset` is seconds since the call began."""

    at: float
    offset: float
    kind: str
    text: str


class Timeline(Struct):
    """One call and its events, in order."""

    call: Call
    entries: list[Entry] = field(default_factory=list)


class Timelines:
    """Collects facts; `calls` holds the timelines, in the order in which the calls began."""

    def __init__(self) -> None:
        self.calls: dict[str, Timeline] = {}

    def add(self, fact: AnyFact) -> Timeline | None:
        """Take one fact; return the timeline it completes, if any."""
        if isinstance(fact, f.UtteranceHeard):
            line = self.calls.get(fact.utterance.call_id)
            if line is not None and fact.utterance.final:
                text = f"{fact.utterance.side.value}: {fact.utterance.text}"
                self._enter(line, line.call.started_at + fact.utterance.start, "UtteranceHeard", text)
            return None
        if isinstance(fact, f.OrderChanged):
            line = self.calls.get(fact.order.call_id)
            if line is not None:
                text = f"工单 work order {fact.order.state.value}: {', '.join(fact.changed)}"
                self._enter(line, fact.at, "OrderChanged", text)
            return None
        if not isinstance(fact, f.CallFact):
            return None
        line = self.calls.setdefault(fact.call.id, Timeline(fact.call))
        line.call = fact.call
        text = words(fact)
        if text:
            self._enter(line, fact.at, type(fact).__name__, text)
        return line if isinstance(fact, f.CallEnded) else None

    def take(self, call_id: str) -> None:
        """Drop a call whose timeline has been printed."""
        self.calls.pop(call_id, None)

    def open(self) -> Iterator[Timeline]:
        """Yield the timelines of calls that have not ended."""
        yield from self.calls.values()

    def _enter(self, line: Timeline, at: float, kind: str, text: str) -> None:
        line.entries.append(Entry(at, round(at - line.call.started_at, 3), kind, text))


def words(fact: f.CallFact) -> str:
    """Describe a fact in plain words; "" for what nobody would ask about."""
    call = fact.call
    match fact:
        case f.CallStarted():
            return f"来电 call from {call.caller.number or '?'} to {call.called or '?'}"
        case f.CallQueued():
            return f"进入队列 queued in {fact.queue}, position {fact.position}"
        case f.AgentRinging():
            return f"坐席振铃 agent {fact.agent} rings ({fact.channel})"
        case f.AgentMissed():
            rang = f", rang {fact.rang:.1f} s" if fact.rang else ""
            return MISSED[fact.reason].format(fact.agent) + rang
        case f.CallAnswered():
            waited = f" after {fact.waited:.1f} s in queue" if call.queued_at is not None else ""
            return f"接听 answered by {fact.agent or fact.party or '?'}{waited} ({fact.channel})"
        case f.CallHeld():
            return "保持 on hold" if fact.held else "恢复通话 off hold"
        case f.ConversationEnded():
            return f"通话段结束 conversation with {fact.agent or fact.party or '?'} ended"
        case f.CallParked():
            return f"驻留 parked at {fact.space}"
        case f.CallsMerged():
            return f"合并 merged with {fact.merged}"
        case f.ConferenceChanged():
            return "会议成员变化 conference changed"
        case f.CallTransferred():
            return f"转接 {fact.transfer_type.value} transfer to {fact.target or '?'}: {fact.result or '?'}"
        case f.CallEnded():
            reason = END.get(call.end_reason, str(call.end_reason)) if call.end_reason else "?"
            return f"结束 ended: {reason}{_goodbye(call)}"
        case f.CallUpdated(what=what) if what.startswith("HOTLINE_IVR_"):
            return f"按键 IVR {what[12:].lower()} = {call.ivr.get(what[12:].lower(), '')}"
        case f.CallUpdated(what="before_capture"):
            return "抓包前已开始 had begun before the capture: what happened until here is not known"
        case f.CallUpdated(what=f.RESYNC):
            return "重新同步 found going on when the link to the PBX was back"
        case f.CallUpdated(what=f.RECOVERED):
            return "话机接回 the agent's phone recovered the call"
        case f.CallUpdated(what=f.LET_GO):
            return f"队列放行 {call.queue or 'the queue'} let the caller go"
        case f.CallUpdated(what=what) if what in INCIDENTS:
            detail = call.incidents[-1].detail if call.incidents else ""
            return INCIDENTS[what] + (f" ({detail})" if detail else "")
        case f.CallUpdated(what=what):
            return "" if what in ("channel", "caller") else f"更新 {what}"
    return type(fact).__name__


def _goodbye(call: Call) -> str:
    who = ENDED_BY.get(call.ended_by, "") if call.ended_by else ""
    chinese, english = in_words(call.hangup_cause)
    cause = f"{chinese} {english.partition(' ')[2]}" if chinese else ""
    blocked = call.incidents and call.incidents[-1] == Incident(call.ended_at or 0.0, IncidentKind.BLOCKED)
    who = f"{INCIDENTS[IncidentKind.BLOCKED]}; {who}".rstrip("; ") if blocked else who
    return (f"; {who}" if who else "") + (f" ({cause})" if cause else "")
