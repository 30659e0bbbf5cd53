"""Whatever comes over the wire: no crash, no unbounded memory, and the next good event is read."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.lines import Line
from gateway.asterisk.normalise import WANTED, normalise
from gateway.asterisk.protocol import MAX_HEADERS, MAX_MESSAGE, HardenedProtocol, Headers
from gateway.calls.tracker import CallTracker

CAPTURES = sorted((Path(__file__).parents[3] / "data" / "ami").glob("*.ami"))
GOOD = b"Event: Newchannel\r\nUniqueid: 1.9\r\nLinkedid: 1.9\r\nChannel: PJSIP/trunk-00000009\r\n\r\n"


class Transport:
    """Where the protocol writes; nothing is connected."""

    def write(self, data: bytes) -> None: ...
    def close(self) -> None: ...
    def pause_reading(self) -> None: ...
    def resume_reading(self) -> None: ...


class Owner:
    """Takes events like HardenedManager and passes them through the tracker."""

    def __init__(self, wanted: bool = True) -> None:
        self.wanted = frozenset(name.encode() for name in WANTED) if wanted else None
        self.dropped = self.undecodable = 0
        self.seen: list[Headers] = []
        self.tracker = CallTracker("main", [Line("12345", "热线", ("12345",), "q12345")], ())

    def protocol_made(self, protocol: Any) -> None: ...
    def protocol_lost(self, protocol: Any, error: Any) -> None: ...

    def feed(self, headers: Headers) -> None:
        self.seen.append(headers)
        event = normalise(headers, "main", 1.0)
        if event is not None:
            self.tracker.apply(event)


def wire(*chunks: bytes, wanted: bool = True) -> tuple[Owner, HardenedProtocol]:
    owner = Owner(wanted)
    protocol = HardenedProtocol(owner)
    protocol.connection_made(Transport())
    protocol.data_received(b"Asterisk Call Manager/11.0.0\r\n")
    for chunk in chunks:
        protocol.data_received(chunk)
        assert len(protocol.buffer) <= MAX_MESSAGE + len(chunk)
    return owner, protocol


def read_on(owner: Owner, protocol: HardenedProtocol) -> None:
    """After the worst, the next good event is read."""
    protocol.data_received(b"\r\n\r\n" + GOOD)
    assert owner.seen[-1]["Uniqueid"] == "1.9"
    assert protocol.buffer == b""


junk = st.one_of(
    st.binary(max_size=300),
    st.sampled_from(
        [
            b"\r\n",
            b"\r\n\r\n",
            b"\0",
            b"\xff\xfe",
            b":",
            b": ",
            b"Event: ",
            b"Event: Hangup\r\n",
            b"\r",
            b"\n",
        ]
    ),
    st.sampled_from(
        [b"Response: Success\r\n", b"ActionID: 1\r\n", b"EventList: Complete\r\n", "季".encode()]
    ),
)


@given(st.lists(junk, max_size=40))
def test_random_bytes_change_nothing_for_the_next_event(chunks: list[bytes]) -> None:
    read_on(*wire(*chunks))


names = st.sampled_from(sorted(WANTED))
values = st.text(st.characters(exclude_characters="\r\n"), max_size=20)
header = st.sampled_from(
    [
        "Uniqueid",
        "Linkedid",
        "Channel",
        "DestUniqueid",
        "DestChannel",
        "Queue",
        "MemberName",
        "Interface",
        "Position",
        "Timestamp",
        "Variable",
        "Value",
        "BridgeUniqueid",
        "Cause",
        "Status",
        "HoldTime",
        "State",
    ]
)


@settings(max_examples=200)
@given(
    st.lists(st.tuples(names, st.dictionaries(header, values, max_size=12)), max_size=12), st.integers(1, 50)
)
def test_hostile_headers_never_break_the_fold(events: list[tuple[str, dict[str, str]]], step: int) -> None:
    text = "".join(
        f"Event: {name}\r\n" + "".join(f"{key}: {value}\r\n" for key, value in headers.items()) + "\r\n"
        for name, headers in events
    ).encode("utf-8", "replace")
    read_on(*wire(*(text[at : at + step] for at in range(0, len(text), step))))


@pytest.mark.parametrize("size", [MAX_MESSAGE - 100, MAX_MESSAGE, MAX_MESSAGE * 3])
def test_a_huge_header_costs_no_more_than_its_limit(size: int) -> None:
    text = b"Event: VarSet\r\nVariable: HOTLINE_LINE\r\nValue: " + b"x" * size
    owner, protocol = wire(*(text[at : at + 65536] for at in range(0, len(text), 65536)))
    read_on(owner, protocol)
    assert owner.dropped == (size > MAX_MESSAGE - 100)
    assert len(owner.seen) == 2 - owner.dropped


def test_more_headers_than_anybody_needs_are_refused() -> None:
    owner, protocol = wire(b"Event: Newchannel\r\n" + b"a: b\r\n" * (MAX_HEADERS + 1) + b"\r\n")
    read_on(owner, protocol)
    assert (owner.dropped, len(owner.seen)) == (1, 1)


def test_nul_and_invalid_utf8_are_carried_or_replaced() -> None:
    owner, protocol = wire(b"Event: Newchannel\r\nUniqueid: 1.1\r\nCallerIDName: a\0\xff\xe5\xad\r\n\r\n")
    assert owner.seen[0]["CallerIDName"].startswith("a\0\ufffd")
    assert owner.undecodable == 1
    read_on(owner, protocol)


@pytest.mark.parametrize("path", CAPTURES, ids=lambda path: path.stem)
def test_what_is_not_parsed_would_have_said_nothing(path: Path) -> None:
    """The wire filter (names, variables) leaves out exactly what `normalise` leaves out."""
    data = path.read_bytes()
    chosen, _ = wire(data)
    everything, _ = wire(data, wanted=False)
    told = [one for one in everything.seen if normalise(one, "main", 1.0) is not None]
    assert told == [one for one in chosen.seen if normalise(one, "main", 1.0) is not None]
    assert told


@pytest.mark.parametrize("path", CAPTURES, ids=lambda path: path.stem)
def test_chunks_of_any_size_say_the_same(path: Path) -> None:
    data = path.read_bytes()[:40_000]
    whole, _ = wire(data)
    for size in (1, 7, 1000):
        cut, _ = wire(*(data[at : at + size] for at in range(0, len(data), size)))
        assert cut.seen == whole.seen
