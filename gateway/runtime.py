"""A gateway that is up: the services its modules provide, for each other and for those that look after it."""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from typing import Any, TypeVar

from agents.accounts.service import AccountService
from agents.figures.service import FiguresService
from asr.pool import EnginePool
from gateway.asterisk.link import PbxLink
from gateway.facts.bus import LocalBus
from gateway.ownership import Ownership
from gateway.pbx_state import PbxState
from gateway.settings import PbxSettings, Settings
from gateway.storage.calls import CallRepository
from gateway.telephony import Telephony
from workorders.service import OrderService

T = TypeVar("T")

StartPbxs = Callable[[str, str], Awaitable[list[PbxSettings]]]
"""Brings up PBXs once the addresses they connect to are known: (FastAGI, AudioSocket) → PBXs to link to."""


class Runtime:
    """What the modules of one gateway share: settings, services by type, and what ends with the gateway."""

    def __init__(
        self,
        settings: Settings,
        stack: AsyncExitStack,
        *,
        start_pbxs: StartPbxs | None = None,
        demo_accounts: tuple[tuple[str, str], ...] = (),
        say: Callable[[str], None] = lambda _: None,
    ) -> None:
        """`say` is told what takes longer than a moment."""
        self.settings = settings
        self.start_pbxs = start_pbxs
        self.demo_accounts = demo_accounts
        self.ownership: Ownership | None = None
        """The leases by which this process serves; `None`: it shares its database with no other."""
        self.say = say
        self.web_port = 0
        self.stream_port = 0
        self.agi_address = ""
        self.audio_address = ""
        """HOST:PORT that PBXs connect to for FastAGI and for live audio."""
        self._stack = stack
        self._services: dict[type[Any], Any] = {}

    # -- what modules use --------------------------------------------------------------------------------
    def provide(self, *services: object) -> None:
        """Offer services to the modules that come later, each by its type."""
        self._services.update((type(service), service) for service in services)

    def get(self, kind: type[T]) -> T:
        """The service of that type.

        Raises:
            LookupError: no module provides one.
        """
        service = self.find(kind)
        if service is None:
            raise LookupError(f"no module provides {kind.__qualname__}")
        return service

    def find(self, kind: type[T]) -> T | None:
        """The service of that type, if a module provides one."""
        found: T | None = self._services.get(kind)
        return found

    async def enter(self, context: AbstractAsyncContextManager[T]) -> T:
        """Enter a context that is left when the gateway stops."""
        return await self._stack.enter_async_context(context)

    def on_stop(self, callback: Callable[[], Awaitable[object]]) -> None:
        """Call `callback` when the gateway stops; the last one registered goes first."""
        self._stack.push_async_callback(callback)

    @property
    def holder(self) -> str:
        """What this process takes leases and claims as; empty: it shares its database with no other."""
        return "" if self.ownership is None else self.ownership.holder

    @property
    def former_holders(self) -> Sequence[str] | None:
        """Whose claims are void now that this process serves; `None`: whoever's they are."""
        return None if self.ownership is None else self.ownership.grant.before

    def may_act(self) -> bool:
        """Whether this process may act on the PBXs and towards other systems."""
        return self.ownership is None or self.ownership.holds

    # -- what programs around the gateway use ------------------------------------------------------------
    @property
    def bus(self) -> LocalBus:
        """Facts as they are published."""
        return self.get(LocalBus)

    @property
    def accounts(self) -> AccountService:
        """Who may sign in."""
        return self.get(AccountService)

    @property
    def calls(self) -> CallRepository:
        """Calls as the database has them."""
        return self.get(CallRepository)

    @property
    def orders(self) -> OrderService:
        """Work orders."""
        return self.get(OrderService)

    @property
    def figures(self) -> FiguresService:
        """The day's figures."""
        return self.get(FiguresService)

    @property
    def links(self) -> dict[str, PbxLink]:
        """The links to the PBXs, by name."""
        return self.get(Telephony).links

    @property
    def pbx_states(self) -> dict[str, PbxState]:
        """The states of the PBXs, by name."""
        return self.get(Telephony).states

    @property
    def pool(self) -> EnginePool | None:
        """The speech recogniser; `None`: switched off."""
        return self.find(EnginePool)
