"""Ports of this process's own: test processes run side by side, and none may take another's spare port.

Between being found spare and being listened on a port is nobody's. So the range is shared out beforehand:
each process holds a share by a lock that ends with it, whatever ends it.
"""

import fcntl
import tempfile
from pathlib import Path

from gateway.asterisk import ports
from gateway.asterisk.private import RTP_PORTS

SHARES = 12
_held: list[object] = []


def claim() -> None:
    """Let `gateway.asterisk.ports` choose from a share of this process alone (from all, if none is left)."""
    for number in range(SHARES):
        file = (Path(tempfile.gettempdir()) / f"hotline-test-ports-{number}.lock").open("a")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            continue
        _held.append(file)
        ports.SINGLE = share(ports.SINGLE, number)
        # A block that begins in the share ends in it.
        ports.BLOCKS = share(ports.BLOCKS, number)[: -RTP_PORTS // ports.BLOCKS.step]
        return


def share(whole: range, number: int) -> range:
    """One of `SHARES` parts of a range."""
    size = len(whole) // SHARES
    return whole[number * size : (number + 1) * size]
