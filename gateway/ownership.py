"""Which process serves the PBXs, where several share a PostgreSQL database: the one that holds their leases.

A lease runs out by the database's clock, and its holder stops acting before that by a clock that nobody sets
back. Whatever it writes is conditional on its term (`gateway.storage.leases.Fence`), so that a process that
was stopped and wakes up late changes nothing.
"""

import asyncio
import os
import secrets
import socket
import time
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, TypeVar

import structlog

from gateway.settings import Settings
from gateway.storage.leases import Fence, Grant, LeaseRepository

log = structlog.get_logger(__name__)

TTL_S = 5.0
"""How long a lease runs."""
MARGIN_S = 1.0
"""The holder gives up so long before its lease runs out."""
RENEW_S = 1.0
LOOK_S = 0.4
"""How often whoever stands by looks whether the leases ran out."""
ANSWER_S = 2.0
"""How long one try waits for the database."""

Result = TypeVar("Result")


def lease_names(settings: Settings) -> tuple[str, ...]:
    """The leases that serving this configuration takes: one for each PBX."""
    return tuple(sorted(f"pbx:{pbx.name}" for pbx in settings.pbx))


def is_shared(settings: Settings) -> bool:
    """Whether another process may serve the same configuration: PostgreSQL, and PBXs not of our own."""
    return bool(settings.pbx) and settings.database_url.startswith("postgresql")


class Ownership:
    """This process's part: standing by, holding, or having lost the leases."""

    def __init__(
        self,
        leases: LeaseRepository,
        names: Sequence[str],
        address: str,
        *,
        ttl_s: float = TTL_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`address`: where this process's page is. `clock`: seconds, never set back."""
        self._leases = leases
        self._names = tuple(names)
        self._address = address
        self._ttl_s = ttl_s
        self._clock = clock
        self._grant: Grant | None = None
        self._safe_until = 0.0
        self._contested = True
        self._unanswered = False
        """Whether the database has failed to answer the last renewal."""
        self.holder = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"

    @property
    def grant(self) -> Grant:
        """What is held, or was held last.

        Raises:
            RuntimeError: nothing was ever taken.
        """
        if self._grant is None:
            raise RuntimeError("no lease was taken yet")
        return self._grant

    @property
    def fence(self) -> Fence:
        """What makes the writes of this process conditional on its leases."""
        return Fence(self.grant)

    @property
    def holds(self) -> bool:
        """Whether this process may act on the PBXs and towards other systems.

        While the database answers nobody, nobody takes over unless somebody was standing by.
        """
        alone = self._unanswered and not self._contested
        return self._grant is not None and (self._clock() < self._safe_until or alone)

    async def take(self) -> Grant:
        """Stand by until the leases are free, and take them."""
        troubled = False
        while True:
            asked = self._clock()
            try:
                grant = await _answered(
                    self._leases.take(self._names, self.holder, self._address, self._ttl_s)
                )
            except Exception as error:
                if not troubled:
                    log.warning("leases_not_asked", error=f"{type(error).__name__}: {error}"[:300])
                troubled = True
            else:
                troubled = False
                if grant is not None:
                    self._grant, self._contested, self._unanswered = grant, True, False
                    self._safe_until = asked + self._ttl_s - MARGIN_S
                    log.info("leases_taken", leases=grant.names, terms=grant.terms, before=grant.before)
                    return grant
            await asyncio.sleep(LOOK_S)

    async def keep(self) -> str:
        """Renew the leases until they are lost or must be given up; why."""
        while True:
            await asyncio.sleep(RENEW_S if not self._unanswered else RENEW_S / 2)
            asked = self._clock()
            try:
                renewal = await _answered(self._leases.renew(self.grant, self._ttl_s))
            except Exception as error:
                if not self._unanswered:
                    log.warning("leases_not_renewed", error=f"{type(error).__name__}: {error}"[:300])
                self._unanswered = True
            else:
                self._unanswered = False
                if not renewal.held:
                    self._safe_until, self._contested = 0.0, True
                    return "another process took over"
                self._contested = renewal.contested
                self._safe_until = asked + self._ttl_s - MARGIN_S
            if not self.holds:
                self._safe_until = 0.0
                return "the database did not renew the leases in time, and another process stands by"

    async def give_back(self) -> None:
        """Serve no longer, or stand by no longer: whoever stands by takes over at once."""
        self._safe_until, self._contested = 0.0, True
        try:
            if self._grant is not None:
                await _answered(self._leases.give_back(self._grant))
            await _answered(self._leases.leave(self.holder))
        except Exception as error:
            log.warning("leases_not_given_back", error=f"{type(error).__name__}: {error}"[:300])


async def _answered(asked: Coroutine[Any, Any, Result]) -> Result:
    """The database's answer; a driver that hangs in a dead connection is left behind.

    Raises:
        TimeoutError: there was none in time.
    """
    task = asyncio.create_task(asked)
    done, _ = await asyncio.wait({task}, timeout=ANSWER_S)
    if not done:
        task.cancel()
        task.add_done_callback(lambda one: one.cancelled() or one.exception())
        raise TimeoutError(f"the database has not answered for {ANSWER_S:g} s")
    return task.result()
