"""Events of Asterisk before 12 (AMI 1.x) put into the words of AMI 2. Pure.

Those versions name no Linkedid, have one event for both ends of a bridge, and say who was dialled only after
the channel has appeared. `legacy_channels` holds a channel back until it is known whose call it is part of.
"""

from collections.abc import Callable, Iterable, Iterator

from gateway.replay.capture import Headers
from gateway.replay.legacy_channels import Channels, OldChannel, OldEvent, Timed, age

_ONLY_HERE = frozenset({"Dial", "Bridge", "Link", "Unlink", "Join", "Leave", "QueueMemberPaused", "Transfer"})
_OWN_HEADER = dict.fromkeys(
    ("Newchannel", "Newstate", "Newcallerid", "NewCallerid", "Hangup", "Newexten"), "Uniqueid"
) | dict.fromkeys(("QueueMemberStatus", "QueueMemberAdded", "QueueMemberRemoved"), "Location")
"""Header by which an event without Linkedid shows that it is of those versions."""
_BY_CAUSE = {17: "BUSY", 21: "CONGESTION", 34: "CONGESTION", 3: "CHANUNAVAIL", 20: "CHANUNAVAIL"}
"""Q.850 cause of a phone that never answered → DIALSTATUS."""
_OF_AGENTS = frozenset({"Queue", "MemberName", "HoldTime", "TalkTime", "Reason"})
_MEMBER = {"Location": "Interface", "Reason": "PausedReason"}


class Legacy:
    """Translates one capture; of a newer Asterisk everything passes as it is."""

    def __init__(self) -> None:
        self.old: bool | None = None
        """Whether the capture is of such a version; `None`: nothing has told yet."""
        self._channels = Channels()
        self._members: dict[tuple[str, str], Headers] = {}
        self._called: dict[tuple[str, str], str] = {}
        """Caller's unique id and member's interface → channel of the member."""
        self._handlers: dict[str, Callable[[Headers], Iterable[OldEvent]]] = {
            "Newchannel": self._on_newchannel,
            "Newstate": self._on_newstate,
            "Newexten": self._on_newexten,
            "NewCallerid": self._on_newcallerid,
            "Newcallerid": self._on_newcallerid,
            "Rename": self._on_rename,
            "Dial": self._on_dial,
            "Bridge": self._on_bridge,
            "Link": self._on_bridge,
            "Unlink": self._on_unlink,
            "Hangup": self._on_hangup,
            "Hold": self._on_hold,
            "Join": lambda headers: self._on_queue(headers, "QueueCallerJoin"),
            "Leave": lambda headers: self._on_queue(headers, "QueueCallerLeave"),
            "QueueCallerAbandon": lambda headers: self._on_queue(headers, "QueueCallerAbandon"),
            "AgentCalled": self._on_agent_called,
            "AgentConnect": self._on_agent,
            "AgentComplete": self._on_agent,
            "AgentRingNoAnswer": self._on_agent,
            "Transfer": self._on_transfer,
            "Pickup": self._on_pickup,
            "ParkedCall": self._on_parked,
            "UnParkedCall": self._on_parked,
            "ParkedCallGiveUp": self._on_parked,
            "ParkedCallTimeOut": self._on_parked,
        }

    def translate(self, found: Iterable[Timed]) -> Iterator[Timed]:
        """Yield each message in AMI 2's words, in order but for the moments a channel is held back."""
        for at, headers in found:
            name = headers.get("Event", "")
            if self.old is None and name:
                if headers.get("Linkedid") or headers.get("DestLinkedid"):
                    self.old = False
                elif name in _ONLY_HERE or (_OWN_HEADER.get(name, "-") in headers):
                    self.old = True
            if not self.old or not name:
                yield at, headers
                continue
            self._channels.at = at
            self._channels.stamp = {"Timestamp": headers["Timestamp"]} if "Timestamp" in headers else {}
            yield from self._channels.release(self._translated(name, headers))
        yield from self._channels.rest()

    def _translated(self, name: str, headers: Headers) -> Iterable[OldEvent]:
        if (handler := self._handlers.get(name)) is not None:
            return handler(headers)
        if name.startswith("QueueMember"):
            return [self._member(name, headers)]
        return self._as_it_is(name, headers)

    def _as_it_is(self, name: str, headers: Headers) -> Iterable[OldEvent]:
        """An event that has kept its words."""
        channel = self._channels.known(headers)
        more = {key: value for key, value in headers.items() if key not in ("Event", "Channel", "Uniqueid")}
        if channel is not None and (dest := self._channels.by_id.get(headers.get("DestUniqueid", ""))):
            yield from self._channels.join(dest, channel)
        elif channel is not None and name in ("BridgeEnter", "QueueCallerJoin"):
            yield from self._channels.resolve(channel.uniqueid)
        yield self._channels.event(name, {"": channel} if channel else {}, **more)

    # -- events --------------------------------------------------------------------------------------------
    def _on_newchannel(self, headers: Headers) -> Iterable[OldEvent]:
        channel = self._channels.known(headers)
        if channel is None:
            return
        self._channels.take(channel, headers)
        channel.announced = True
        if channel.name.startswith("Local/") or channel.state != "Ring" or not channel.exten:
            self._channels.hold(channel)
        yield self._channels.event("Newchannel", {"": channel})

    def _on_newstate(self, headers: Headers) -> Iterable[OldEvent]:
        channel = self._channels.known(headers)
        if channel is None:
            return
        self._channels.take(channel, headers)
        yield self._channels.event("Newstate", {"": channel})
        if channel.state == "Up" and not channel.name.startswith("Local/"):
            yield from self._channels.resolve(channel.uniqueid)

    def _on_newexten(self, headers: Headers) -> Iterable[OldEvent]:
        channel = self._channels.known(headers)
        if channel is None:
            return []
        self._channels.take(channel, headers)
        return [] if channel.name.startswith("Local/") else self._channels.resolve(channel.uniqueid)

    def _on_newcallerid(self, headers: Headers) -> Iterable[OldEvent]:
        channel = self._channels.known(headers)
        if channel is None:
            return
        self._channels.take(channel, headers)
        yield self._channels.event("NewCallerid", {"": channel})

    def _on_rename(self, headers: Headers) -> Iterable[OldEvent]:
        before = headers.get("Channel", headers.get("Oldname", ""))
        channel = self._channels.known({**headers, "Channel": before})
        if channel is None:
            return
        after = headers.get("Newname", "")
        yield self._channels.event("Rename", {"": channel}, Newname=after)
        if self._channels.names.get(before) == channel.uniqueid:
            del self._channels.names[before]
        channel.name = after
        self._channels.names[after] = channel.uniqueid

    def _on_dial(self, headers: Headers) -> Iterable[OldEvent]:
        if headers.get("SubEvent", "Begin") == "End":
            source = self._channels.known(headers)
            return self._dials_over(source, headers.get("DialStatus", "")) if source else []
        # Before 1.6: Source, SrcUniqueID.
        source = self._channels.known(headers) or self._channels.known(headers, "SrcUniqueID", "Source")
        dest = self._channels.known(headers, "DestUniqueid", "Destination")
        return self._dials(source, dest, headers.get("Dialstring", "")) if source and dest else []

    def _dials(self, source: OldChannel, dest: OldChannel, to: str) -> Iterator[OldEvent]:
        yield from self._channels.join(dest, source)
        dest.dialler = source.uniqueid
        source.dialled.append(dest.uniqueid)
        yield self._channels.event("DialBegin", {"": source, "Dest": dest}, DialString=to)

    def _dials_over(self, source: OldChannel, status: str) -> Iterator[OldEvent]:
        """The one who answered was told before; the others stopped ringing."""
        for one in source.dialled:
            dest = self._channels.by_id.get(one)
            if dest is not None and dest.state != "Up":
                yield self._channels.event("DialEnd", {"": source, "Dest": dest}, DialStatus=status)
        source.dialled.clear()

    def _on_bridge(self, headers: Headers) -> Iterable[OldEvent]:
        if headers.get("Bridgestate", "Link") != "Link":
            yield from self._on_unlink(headers)
            return
        pair = self._pair(headers)
        bridge = "-".join(one.uniqueid for one in pair)
        if len(pair) < 2 or all(one.bridge == bridge for one in pair):
            return
        yield from self._channels.join(pair[1], pair[0])
        yield from self._channels.resolve(pair[0].uniqueid)
        for one in pair:
            if one.bridge:
                yield from self._leave(one)
        for count, one in enumerate(pair, 1):
            one.bridge = bridge
            yield self._channels.event(
                "BridgeEnter",
                {"": one},
                BridgeUniqueid=bridge,
                BridgeType="basic",
                BridgeNumChannels=str(count),
            )

    def _on_unlink(self, headers: Headers) -> Iterable[OldEvent]:
        pair = self._pair(headers)
        bridge = "-".join(one.uniqueid for one in pair)
        for one in pair:
            one.bridge = one.bridge or bridge
            yield from self._leave(one)

    def _leave(self, channel: OldChannel) -> Iterator[OldEvent]:
        bridge, channel.bridge = channel.bridge, ""
        yield self._channels.event("BridgeLeave", {"": channel}, BridgeUniqueid=bridge)

    def _pair(self, headers: Headers) -> list[OldChannel]:
        found = (self._channels.known(headers, f"Uniqueid{one}", f"Channel{one}") for one in (1, 2))
        return sorted((one for one in found if one is not None), key=lambda one: age(one.uniqueid))

    def _on_hangup(self, headers: Headers) -> Iterable[OldEvent]:
        channel = self._channels.known(headers)
        if channel is None:
            return
        self._channels.take(channel, headers)
        yield from self._channels.resolve(channel.uniqueid)
        source = self._channels.by_id.get(channel.dialler)
        cause = headers.get("Cause", "")
        if source is not None and channel.uniqueid in source.dialled and channel.state != "Up":
            # The Dial's own end comes after this, without saying whom it was about.
            answered = any(
                other.state == "Up"
                for one in source.dialled
                if (other := self._channels.by_id.get(one)) is not None
            )
            status = _BY_CAUSE.get(int(cause) if cause.isdecimal() else 0, "NOANSWER")
            status = "CANCEL" if answered or cause == "26" else status
            source.dialled.remove(channel.uniqueid)
            yield self._channels.event("DialEnd", {"": source, "Dest": channel}, DialStatus=status)
        text = headers.get("Cause-txt", "")
        yield self._channels.event("Hangup", {"": channel}, **{"Cause": cause, "Cause-txt": text})

    def _on_hold(self, headers: Headers) -> Iterable[OldEvent]:
        channel = self._channels.known(headers)
        name = "Unhold" if headers.get("Status", "On").lower() == "off" else "Hold"
        return [self._channels.event(name, {"": channel})] if channel else []

    # -- queues --------------------------------------------------------------------------------------------
    def _on_queue(self, headers: Headers, name: str) -> Iterable[OldEvent]:
        channel = self._channels.known(headers)
        if channel is None:
            return
        self._channels.take(channel, headers)
        channel.queue = headers.get("Queue", "") if name == "QueueCallerJoin" else channel.queue
        yield from self._channels.resolve(channel.uniqueid)
        more = {key: headers[key] for key in ("Queue", "Position", "Count", "HoldTime") if key in headers}
        yield self._channels.event(name, {"": channel}, **more)

    def _on_agent_called(self, headers: Headers) -> Iterable[OldEvent]:
        caller = self._channels.known(headers, name="ChannelCalling")
        member = self._channels.known(headers, "DestUniqueid", "DestinationChannel")
        if caller is None or member is None:
            return
        yield from self._channels.join(member, caller)
        interface = headers.get("AgentCalled", "")
        self._called[caller.uniqueid, interface] = member.uniqueid
        yield self._channels.event(
            "AgentCalled",
            {"": caller, "Dest": member},
            Queue=headers.get("Queue", ""),
            Interface=interface,
            MemberName=headers.get("AgentName", interface),
        )

    def _on_agent(self, headers: Headers) -> Iterable[OldEvent]:
        """AgentConnect, AgentComplete, AgentRingNoAnswer: Uniqueid is the caller's, Channel the agent's."""
        caller = self._channels.known(headers, name="")
        interface = headers.get("Member", "")
        if caller is None:
            return
        called = self._called.get((caller.uniqueid, interface), "")
        dest = (
            headers.get("BridgedChannel")
            or called
            or self._channels.names.get(headers.get("Channel", ""), "")
        )
        member = self._channels.by_id.get(dest)
        about = {"": caller} if member is None or member is caller else {"": caller, "Dest": member}
        if member is not None and headers["Event"] == "AgentConnect":
            yield from self._channels.join(member, caller)
        more = {key: value for key, value in headers.items() if key in _OF_AGENTS}
        more |= {"Interface": interface, "RingTime": headers.get("RingTime", headers.get("Ringtime", "0"))}
        more.setdefault("HoldTime", headers.get("Holdtime", "0"))
        yield self._channels.event(headers["Event"], about, **more)

    def _member(self, name: str, headers: Headers) -> OldEvent:
        """A change of a member names only what changed: the rest is as last told."""
        told = {_MEMBER.get(key, key): value for key, value in headers.items() if key != "Event"}
        key = (told.get("Queue", ""), told.get("Interface", ""))
        self._members[key] = {**self._members.get(key, {}), **told}
        more = {**self._members[key]}
        more.pop("Timestamp", None)
        return self._channels.event("QueueMemberPause" if name == "QueueMemberPaused" else name, {}, **more)

    # -- moves ---------------------------------------------------------------------------------------------
    def _on_transfer(self, headers: Headers) -> Iterable[OldEvent]:
        by = self._channels.known(headers)
        other = self._channels.known(headers, "TargetUniqueid", "TargetChannel")
        if by is None:
            return
        if headers.get("TransferType", "").lower() == "blind":
            about = {"Transferer": by} | ({"Transferee": other} if other else {})
            exten = headers.get("TransferExten", "")
            yield self._channels.event("BlindTransfer", about, Extension=exten, Result="Success")
        else:
            about = {"OrigTransferer": by} | ({"SecondTransferer": other} if other else {})
            yield self._channels.event("AttendedTransfer", about, DestType="Bridge", Result="Success")

    def _on_pickup(self, headers: Headers) -> Iterable[OldEvent]:
        picker, target = (
            self._channels.known(headers),
            self._channels.known(headers, "TargetUniqueid", "TargetChannel"),
        )
        return [self._channels.event("Pickup", {"": picker, "Target": target})] if picker and target else []

    def _on_parked(self, headers: Headers) -> Iterable[OldEvent]:
        parkee = self._channels.known(headers)
        if parkee is None:
            return
        about = {"Parkee": parkee}
        retriever = self._channels.by_id.get(self._channels.names.get(headers.get("From", ""), ""))
        if retriever is not None and headers["Event"] == "UnParkedCall":
            about["Retriever"] = retriever
        yield self._channels.event(headers["Event"], about, ParkingSpace=headers.get("Exten", ""))
