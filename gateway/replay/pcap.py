"""Capture files of tcpdump or Wireshark (pcap, pcapng), read with dpkt."""

import socket
from collections.abc import Iterator
from io import BufferedReader
from typing import Any

import dpkt

from gateway.replay.packets import Segment

MAGIC = (
    b"\xa1\xb2\xc3\xd4",
    b"\xd4\xc3\xb2\xa1",
    b"\xa1\xb2\x3c\x4d",
    b"\x4d\x3c\xb2\xa1",
    b"\x0a\x0d\x0d\x0a",
)
_LINKS: dict[int, Any] = {
    0: dpkt.loopback.Loopback,
    1: dpkt.ethernet.Ethernet,
    108: dpkt.loopback.Loopback,
    113: dpkt.sll.SLL,
    276: dpkt.sll2.SLL2,
}
_RAW = (12, 14, 101, 228, 229)


def segments(file: "BufferedReader[Any]") -> Iterator[Segment]:
    """Yield the TCP segments in the file, up to where it is cut off.

    Raises:
        ValueError: not a capture, or of an unsupported link type; the message says which.
    """
    reader: Any
    try:
        kind = dpkt.pcapng if file.peek(4).startswith(MAGIC[-1]) else dpkt.pcap
        reader = kind.Reader(file)
    except (dpkt.UnpackError, ValueError) as error:
        raise ValueError(f"the capture cannot be read ({error}): is it whole?") from None
    link = reader.datalink()
    if link not in _LINKS and link not in _RAW:
        raise ValueError(
            f"the capture is of link type {link}, which is not read: `tcpdump -r FILE -A` prints it"
        )
    rows = iter(reader)
    while True:
        try:
            at, frame = next(rows)
        except (StopIteration, dpkt.UnpackError, ValueError):
            return  # a capture that was killed ends in the middle of a packet
        try:
            packet = _internet(frame) if link in _RAW else _LINKS[link](frame).data
        except (dpkt.UnpackError, ValueError, IndexError, KeyError):
            continue
        if segment := _segment(packet, float(at)):
            yield segment


def _internet(frame: bytes) -> Any:
    return dpkt.ip6.IP6(frame) if frame[0] >> 4 == 6 else dpkt.ip.IP(frame)


def _segment(packet: Any, at: float) -> Segment | None:
    if not isinstance(packet, dpkt.ip.IP | dpkt.ip6.IP6) or not isinstance(packet.data, dpkt.tcp.TCP):
        return None
    tcp = packet.data
    family = socket.AF_INET if isinstance(packet, dpkt.ip.IP) else socket.AF_INET6
    source, target = (socket.inet_ntop(family, one) for one in (packet.src, packet.dst))
    data = bytes(tcp.data)
    begins = bool(tcp.flags & dpkt.tcp.TH_SYN)
    if not data and not begins:
        return None
    return Segment(f"{source}.{tcp.sport}>{target}.{tcp.dport}", data, tcp.seq, at, begins)
