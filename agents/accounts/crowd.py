"""A whole shift signing in from one address, such as a proxy: who finds no try left may wait for others."""

import asyncio
from collections import Counter, deque

MOST_WAITING = 10_000


class Crowd:
    """Logins being checked, by address. One that was right gives its address the try back it paid for."""

    def __init__(self) -> None:
        self._checking: Counter[str] = Counter()
        self._waiting: dict[str, deque[asyncio.Future[None]]] = {}
        self._waiters = 0

    def begin(self, address: str) -> None:
        """A login from there is being checked."""
        self._checking[address] += 1

    def end(self, address: str, *, right: bool) -> None:
        """It has been: the next may try, or all, who will be refused if nothing else is being checked."""
        self._checking[address] -= 1
        last = not self._checking[address]
        if last:
            del self._checking[address]
        waiting = self._waiting.get(address, deque())
        while waiting and (right or last):
            one = waiting.popleft()
            if not one.done():
                one.set_result(None)
                if not last:
                    break
        if not waiting:
            self._waiting.pop(address, None)

    async def wait(self, address: str) -> bool:
        """Wait until it may be worth trying again; `False` if waiting would not help."""
        if not self._checking[address] or self._waiters >= MOST_WAITING:
            return False
        turn = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(address, deque()).append(turn)
        self._waiters += 1
        try:
            await turn
        finally:
            self._waiters -= 1
        return True
