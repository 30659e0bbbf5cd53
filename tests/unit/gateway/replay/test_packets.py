"""Captures taken from a real Asterisk by the real tools, and packets lost, doubled and out of order.

`tests/data/captures`: what an Asterisk 22 told two connections about one call, as a pcap (pcapng) file; what
tcpdump 4.99 and tshark 4.0 print of it; the first connection only where it says so in the test.
"""

import gzip
import io
import random
from pathlib import Path
from typing import Any

import dpkt
import pytest
from typer.testing import CliRunner

from domain.calls import EndReason
from domain.facts import AnyFact, CallEnded, CallHeld, CallStarted
from domain.lines import Line
from gateway.cli import app
from gateway.replay import pcap, printed
from gateway.replay.capture import Counts, Headers
from gateway.replay.fold import facts_of, facts_of_packets
from gateway.replay.packets import Segment, timed_messages

CAPTURES = Path(__file__).parents[3] / "data" / "captures"
LINES = [Line("12345", "政务服务便民热线", ("12345",), "q12345")]


def packed(name: str) -> bytes:
    return gzip.decompress((CAPTURES / name).read_bytes())


def file(data: bytes) -> "io.BufferedReader[Any]":
    return io.BufferedReader(io.BytesIO(data))


def texts(name: str) -> list[str]:
    return packed(name).decode().splitlines(keepends=True)


def facts(name: str, counts: Counts) -> list[AnyFact]:
    if "pcap" in name:
        return list(facts_of_packets(pcap.segments(file(packed(name))), "main", LINES, (), counts))
    return list(facts_of(texts(name), "main", LINES, (), counts))


@pytest.mark.parametrize(
    "name", ["call.pcap.gz", "call.pcapng.gz", "call-A.txt.gz", "call-vX.txt.gz", "call-follow.txt.gz"]
)
def test_every_real_capture_tells_the_one_call(name: str) -> None:
    counts = Counts()
    found = facts(name, counts)
    (ended,) = [fact for fact in found if isinstance(fact, CallEnded)]
    call = ended.call
    assert sum(isinstance(fact, CallStarted) for fact in found) == 1
    assert [fact.held for fact in found if isinstance(fact, CallHeld)] == [True, False]
    assert (call.caller.number, call.line) == ("13962875016", "12345")
    assert (call.agent, call.end_reason) == ("1001", EndReason.COMPLETED)
    assert call.started_at == pytest.approx(1795564302.889403)
    assert call.ended_at == pytest.approx(1795564305.304637)
    # Text of tcpdump -A and of tshark has dots where it was not ASCII.
    whole = "pcap" in name or "X" in name
    assert call.caller.name == ("季建国" if whole else ".........")
    both = "follow" not in name and "X" not in name
    assert counts.repeated == (176 if both else 0)
    assert counts.torn == 0


@pytest.mark.parametrize("name", ["call.pcap.gz", "call-A.txt.gz", "call-follow.txt.gz"])
def test_the_command_reads_it_packed_or_not(name: str, tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    plain.write_bytes(packed(name))
    runner = CliRunner()
    shown = [runner.invoke(app, ["replay", str(path)]) for path in (CAPTURES / name, plain)]
    piped = runner.invoke(app, ["replay", "-"], input=plain.read_bytes())
    assert [one.exit_code for one in (*shown, piped)] == [0, 0, 0], shown[0].output
    assert "结束 ended: 通话完成" in shown[0].stdout
    assert len({one.stdout for one in (*shown, piped)}) == 1


@pytest.mark.parametrize("cut", [0, 3, 24, 30, 5000, 150_000])
def test_a_capture_cut_off_ends_in_words_or_with_what_it_has(cut: int, tmp_path: Path) -> None:
    for name in ("call.pcap.gz", "call.pcapng.gz"):
        broken = tmp_path / name.removesuffix(".gz")
        broken.write_bytes(packed(name)[:cut])
        done = CliRunner().invoke(app, ["replay", str(broken)])
        # Where a call began before the end, it is told.
        assert done.exit_code == (2 if cut < 10_000 else 0)
        assert "Traceback" not in done.output
        assert done.stderr.strip()
    half = tmp_path / "half.gz"
    half.write_bytes((CAPTURES / "call-A.txt.gz").read_bytes()[: min(cut, 5000)])
    assert CliRunner().invoke(app, ["replay", str(half)]).exit_code == 2


def stream() -> bytes:
    """All that one connection was told."""
    segments = [one for one in pcap.segments(file(packed("call.pcap.gz"))) if one.data]
    return b"".join(one.data for one in segments if one.flow == segments[0].flow)


STREAM = stream()
WHOLE = [headers for _, headers in timed_messages([Segment("x", STREAM)], Counts())]


def pieces(chance: random.Random, first: int) -> list[tuple[int, bytes]]:
    """The stream as segments of any size, some doubled, some early or late."""
    found, at = [], 0
    while at < len(STREAM):
        size = chance.choice([1, 2, 50, 97, 1000, 1448])
        found.append((first + at & 0xFFFFFFFF, STREAM[at : at + size]))
        at += size
    found += [one for one in found if chance.random() < 0.05]
    order = {id(one): place + chance.uniform(0, 3) for place, one in enumerate(found)}
    doubles = found[len({seq for seq, _ in found}) :]
    order |= {id(one): chance.uniform(0, len(found)) for one in doubles}
    return sorted(found, key=lambda one: order[id(one)])


def read(segments: list[Segment], counts: Counts | None = None) -> list[Headers]:
    return [headers for _, headers in timed_messages(segments, counts or Counts())]


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("first", [1, 4040046275, 2**32 - 5000])
def test_doubled_and_disordered_segments_say_the_same(seed: int, first: int) -> None:
    counts = Counts()
    found = pieces(random.Random(seed), first)
    begin = Segment("x", b"", first - 1 & 0xFFFFFFFF, begins=True)
    assert read([begin, *(Segment("x", data, seq) for seq, data in found)], counts) == WHOLE
    assert counts.torn == 0


def test_a_missing_segment_costs_its_own_messages_only() -> None:
    counts = Counts()
    size = 1448
    found = [Segment("x", STREAM[at : at + size], at) for at in range(0, len(STREAM), size)]
    rest = read([*found[:5], *found[6:]], counts)
    assert counts.torn == 1
    assert len(WHOLE) - 12 < len(rest) < len(WHOLE)
    assert [one for one in rest if one not in WHOLE] == []


def test_hexadecimal_text_is_the_packet_itself() -> None:
    """tcpdump's own print of the same file, seq by seq."""
    told = [one for one in printed.tcpdump(texts("call-vX.txt.gz"), Counts()) if one.data]
    captured = [one for one in pcap.segments(file(packed("call.pcap.gz"))) if one.data]
    captured = [one for one in captured if one.flow == told[0].flow]
    assert [one.data for one in told] == [one.data for one in captured]


def test_a_connection_made_anew_goes_on_where_the_old_one_ended() -> None:
    middle = STREAM.index(b"\r\n\r\n", len(STREAM) // 2) + 4
    one = Segment("one", STREAM[:middle], at=1.0)
    other = Segment("other", STREAM[middle:], at=2.0)
    assert read([one, other]) == WHOLE


@pytest.mark.parametrize(
    ("link", "head"),
    [
        (101, b""),
        (113, b"\0\0\0\1\0\6" + bytes(8) + b"\x08\x00"),
        (276, b"\x08\x00" + bytes(18)),
        (0, b"\2\0\0\0"),
    ],
)
def test_captures_of_any_and_of_raw_interfaces(link: int, head: bytes) -> None:
    out = io.BytesIO()
    writer = dpkt.pcap.Writer(out, linktype=link, snaplen=65535)
    for at in range(0, len(STREAM), 1000):
        tcp = dpkt.tcp.TCP(sport=5038, dport=40000, seq=1 + at, flags=0x18, data=STREAM[at : at + 1000])
        ip = dpkt.ip.IP(src=bytes(4), dst=bytes(4), p=6, data=tcp)
        ip.len = len(bytes(ip))
        writer.writepkt(head + bytes(ip), 1.0)
    assert read(list(pcap.segments(file(out.getvalue())))) == WHOLE
