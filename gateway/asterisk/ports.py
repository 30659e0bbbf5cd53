"""Finds free local ports for temporary listeners: a private PBX and its phones."""

import random
import socket

SINGLE = range(10_000, 20_000)
BLOCKS = range(20_000, 32_000, 2)
"""Both ranges are below the ephemeral ports (from 32768 on Linux), so no outgoing connection can take one."""
TRIES = 200
_given: dict[tuple[socket.SocketKind, str], set[int]] = {}
"""What this process was told is spare, and may not listen on yet."""


class NoSparePortError(RuntimeError):
    """No free port was found in `TRIES` attempts, so something else must be wrong."""


def spare_tcp(address: str = "127.0.0.1") -> int:
    """Return a free TCP port on that address. Raises NoSparePortError."""
    return _spare(SINGLE, socket.SOCK_STREAM, address, 1)


def spare_udp(address: str = "127.0.0.1") -> int:
    """Return a free UDP port on that address. Raises NoSparePortError."""
    return _spare(SINGLE, socket.SOCK_DGRAM, address, 1)


def spare_block(size: int, address: str = "127.0.0.1") -> int:
    """Return the first (even) of `size` consecutive free UDP ports. Raises NoSparePortError."""
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
        f"no free port on {address} from {among.start} to {among.stop} in {TRIES} attempts; "
        "does this machine have that address?"
    )


def _free(port: int, kind: socket.SocketKind, address: str) -> bool:
    with socket.socket(socket.AF_INET, kind) as probe:
        try:
            probe.bind((address, port))
        except OSError:
            return False
    return True
