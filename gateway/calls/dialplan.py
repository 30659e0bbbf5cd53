"""What the dialplan reports through channel variables, and the recordings it makes. Pure."""

from collections.abc import Callable

from msgspec import structs

from domain.calls import Incident, IncidentKind, Recording
from domain.facts import CallUpdated
from domain.pbx import events as e
from domain.pbx.events import ChannelEvent
from gateway.calls.conversations import Conversations
from gateway.calls.queueing import Queueing
from gateway.calls.registry import CallRegistry

IVR = "HOTLINE_IVR_"
MAILBOXES = frozenset({"voicemail", "minivmrecord"})
BLACKLIST = "blacklist"
"""Part of the name of the contexts that check a number (FreePBX: `app-blacklist-check`)."""
REFUSING = frozenset({"zapateller", "answer", "playback", "hangup", "busy", "congestion", "playtones"})
"""Applications that run there only for a number on the list."""
MAX_INCIDENTS = 200
_RECORDING = frozenset({IncidentKind.RECORDING_PAUSED, IncidentKind.RECORDING_RESUMED})
_PAIRS = dict.fromkeys(_RECORDING, _RECORDING)


class Dialplan:
    """Handles events about channel variables and recordings."""

    def __init__(self, registry: CallRegistry, conversations: Conversations, queueing: Queueing) -> None:
        self._registry = registry
        self._queueing = queueing
        self._conversations = conversations

    def on_var_set(self, event: e.VarSet) -> None:
        """A `HOTLINE_*` variable was set. Untrusted: only known lines are accepted, text is truncated."""
        registry = self._registry
        if event.variable == "QUEUESTATUS":
            self._queueing.on_queue_status(event)
            return
        call = registry.call(event)
        if call is None:
            return
        name, value = event.variable, event.value
        if name == "HOTLINE_LINE":
            if value not in registry.lines or call.line == value:
                return
            call = registry.change(call, line=value)
        elif name == "HOTLINE_DID":
            if call.called == value:
                return
            call = registry.change(call, called=value[:64])
        elif name == "HOTLINE_HELD":
            # Held or resumed by a command, of which the PBX itself knows nothing.
            registry.channels[event.uniqueid].silenced = value == "1"
            self._conversations.held(event, value == "1")
            return
        elif name == "HOTLINE_MUTED":
            leg = call.leg(event.uniqueid)
            if leg is None or leg.muted is (value == "1"):
                return
            call = registry.set_leg(call, event.uniqueid, muted=value == "1")
        elif name == "HOTLINE_RECORDING":
            if not value or any(one.path == value for one in call.recordings):
                return
            recording = Recording(path=value, channel=event.channel, started_at=event.at)
            call = registry.change(call, recordings=(*call.recordings, recording))
        elif name.startswith(IVR):
            call = registry.change(call, ivr={**call.ivr, name[len(IVR) :].lower(): value[:200]})
        else:
            return
        registry.tell(CallUpdated(at=event.at, call=call, what=name))

    def on_step(self, event: e.DialplanStep) -> None:
        """The dialplan sends the caller to a mailbox, refuses them, or pauses a recording."""
        application = event.application.lower()
        if application in MAILBOXES:
            self._incident(event, IncidentKind.VOICEMAIL, event.data.partition(",")[0])
        elif application == "pausemonitor":
            self._incident(event, IncidentKind.RECORDING_PAUSED)
        elif application == "unpausemonitor":
            self._incident(event, IncidentKind.RECORDING_RESUMED)
        elif BLACKLIST in event.context.lower() and application in REFUSING:
            self._incident(event, IncidentKind.BLOCKED)

    def on_recording_muted(self, event: e.RecordingMuted) -> None:
        """A recording is paused or resumed: its file has silence, or a gap."""
        kind = IncidentKind.RECORDING_PAUSED if event.muted else IncidentKind.RECORDING_RESUMED
        self._incident(event, kind, "" if event.direction == "both" else event.direction)

    def _incident(self, event: ChannelEvent, kind: IncidentKind, detail: str = "") -> None:
        call = self._registry.call(event)
        if call is None or len(call.incidents) >= MAX_INCIDENTS:
            return
        detail = detail[:64]
        last = next((one for one in reversed(call.incidents) if one.kind in _PAIRS.get(kind, {kind})), None)
        if last is not None and (last.kind, last.detail) == (kind, detail):
            return  # told already: each step of a refusal, both legs of a recording
        incident = Incident(at=event.at, kind=kind, detail=detail)
        call = self._registry.change(call, incidents=(*call.incidents, incident))
        self._registry.tell(CallUpdated(at=event.at, call=call, what=kind.value))

    def on_mix_monitor_start(self, event: e.MixMonitorStart) -> None:
        """Recording has started: the first sample is taken now."""
        self._recordings(event, lambda one: structs.replace(one, started_at=event.at))

    def on_mix_monitor_stop(self, event: e.MixMonitorStop) -> None:
        """Recording has stopped: the last sample was taken."""
        self._recordings(event, lambda one: structs.replace(one, ended_at=event.at))

    def _recordings(self, event: ChannelEvent, change: Callable[[Recording], Recording]) -> None:
        call = self._registry.call(event)
        if call is None or not call.recordings:
            return
        # The event names only the channel, so it refers to the channel's latest recording.
        last = max((i for i, one in enumerate(call.recordings) if one.channel == event.channel), default=None)
        if last is None:
            return
        recordings = tuple(change(one) if i == last else one for i, one in enumerate(call.recordings))
        call = self._registry.change(call, recordings=recordings)
        self._registry.tell(CallUpdated(at=event.at, call=call, what="recording"))
