"""Slowing down who guesses passwords, or asks too often: buckets of tries. Pure: time comes in."""

from collections import OrderedDict

from msgspec import Struct


class Bucket(Struct):
    """`level` tokens at instant `at` (seconds)."""

    level: float
    at: float


class Buckets:
    """A bounded family of token buckets of one size; the least recently used one is forgotten first."""

    def __init__(self, size: float, refill_s: float, most: int) -> None:
        """`size` tokens each, one more every `refill_s` seconds, for at most `most` keys."""
        self._size = size
        self._refill_s = refill_s
        self._most = most
        self._buckets: OrderedDict[str, Bucket] = OrderedDict()

    def __len__(self) -> int:
        return len(self._buckets)

    def wait(self, key: str, now: float) -> float:
        """Seconds until there is a token; 0 if there is one."""
        return max(0.0, (1.0 - self._level(key, now)) * self._refill_s)

    def take(self, key: str, now: float) -> None:
        """Take a token."""
        self._buckets[key] = Bucket(self._level(key, now) - 1.0, now)
        self._buckets.move_to_end(key)
        while len(self._buckets) > self._most:
            self._buckets.popitem(last=False)

    def give(self, key: str, now: float, tokens: float) -> None:
        """Give tokens back, up to the full size."""
        level = min(self._size, self._level(key, now) + tokens)
        if level >= self._size:
            self._buckets.pop(key, None)
        else:
            self._buckets[key] = Bucket(level, now)

    def _level(self, key: str, now: float) -> float:
        bucket = self._buckets.get(key)
        if bucket is None:
            return self._size
        if now < bucket.at:
            # The clock was set back: nobody waits until it is there again.
            bucket = self._buckets[key] = Bucket(bucket.level, now)
        return min(self._size, bucket.level + (now - bucket.at) / self._refill_s)


class LoginThrottle:
    """Who may try a login now.

    Ten tries on an account, then one each 30 s; 30 from an address, then one each 6 s.

    An account is never locked for good: that would let a stranger lock out an agent.
    """

    def __init__(
        self,
        *,
        account_tries: float = 10,
        account_refill_s: float = 30.0,
        address_tries: float = 30,
        address_refill_s: float = 6.0,
        most: int = 10_000,
    ) -> None:
        self._accounts = Buckets(account_tries, account_refill_s, most)
        self._addresses = Buckets(address_tries, address_refill_s, most)
        self._account_tries = account_tries

    def attempt(self, account: str, address: str, now: float) -> float:
        """Pay for an attempt and return 0, or return the seconds to wait and take nothing."""
        account = account[:128]
        wait = max(self._accounts.wait(account, now), self._addresses.wait(address, now))
        if wait > 0:
            return wait
        self._accounts.take(account, now)
        self._addresses.take(address, now)
        return 0.0

    def account_wait(self, account: str, now: float) -> float:
        """Seconds until there is a try on the account, whatever the address."""
        return self._accounts.wait(account[:128], now)

    def succeeded(self, account: str, address: str, now: float) -> None:
        """The attempt was right: the account starts afresh, the address gets its token back."""
        self._accounts.give(account[:128], now, self._account_tries)
        self._addresses.give(address, now, 1.0)


class RequestThrottle:
    """How often each system may ask: so many requests a minute, of which half may come at once."""

    def __init__(self, per_minute: float, most: int = 10_000) -> None:
        self._requests = Buckets(max(1.0, per_minute / 2), 60.0 / per_minute, most)

    def attempt(self, key: str, now: float) -> float:
        """Pay for a request and return 0, or return the seconds to wait and take nothing."""
        wait = self._requests.wait(key, now)
        if wait <= 0:
            self._requests.take(key, now)
        return wait
