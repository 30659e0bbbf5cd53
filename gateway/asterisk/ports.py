"""Ports of this machine that are free now, for what listens only for a while: a private PBX, its phones."""

import random
import socket

SINGLE = range(10_000, 20_000)
BLOCKS = range(20_000, 32_000, 2)
"""Both below what systems give outgoing connections (from 32768 on Linux): none takes one in the meantime."""
TRIES = 200
_given: dict[tuple[socket.SocketKind, str], set[int]] = {}
"""What this process was told is spare, and may not listen on yet."""


class NoSparePortError(RuntimeError):
    """So many ports were tried that something else must be wrong."""


def spare_tcp(address: str = "127.0.0.1") -> int:
    """A TCP port of that address. Raises NoSparePortError."""
    return _spare(SINGLE, socket.SOCK_STREAM, address, 1)


def spare_udp(address: str = "127.0.0.1") -> int:
    """A UDP port of that address. Raises NoSparePortError."""
    return _spare(SINGLE, socket.SOCK_DGRAM, address, 1)


def spare_block(size: int, address: str = "127.0.0.1") -> int:
    """The first, even, of `size` UDP ports of that address. Raises NoSparePortError."""
    return _spare(BLOCKS, socket.SOCK_DGRAM, address, size)


def _spare(among: range, kind: socket.SocketKind, address: str, size: int) -> int:
    given = _given.setdefault((kind, address), set())
    # None is given twice, as long as there are others.
    for _ in range(2):
        for _ in range(TRIES):
            first = random.choice(among)  # noqa: S311 - nothing is kept secret by it
            wanted = range(first, first + size)
            if given.isdisjoint(wanted) and all(_free(port, kind, address) for port in wanted):
                given.update(wanted)
                return first
        given.clear()
    raise NoSparePortError(
        f"no spare port of {address} from {among.start} to {among.stop} in {TRIES} tries; "
        "has this machine that address?"
    )


def _free(port: int, kind: socket.SocketKind, address: str) -> bool:
    with socket.socket(socket.AF_INET, kind) as probe:
        try:
            probe.bind((address, port))
        except OSError:
            return False
    return True
