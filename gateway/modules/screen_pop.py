"""The screen-pop: what is known of a caller when the phone rings."""

import asyncio
from collections.abc import Iterable
from functools import partial

from fastapi import APIRouter

from agents.screen_pop.content import PopRules
from agents.screen_pop.service import ScreenPopService, load_places
from domain.screen_pop import PopEnterprise
from gateway.module import Module
from gateway.runtime import Runtime
from gateway.settings import Settings
from gateway.storage.callers import CallerRepository
from gateway.storage.database import Database
from gateway.supervision import Job
from gateway.web.access import Access
from gateway.web.routes import screen_pop
from workorders.directories.contacts import load_contacts
from workorders.directories.reference import Reference


class ScreenPopModule(Module):
    """Looks up callers in the contacts, the enterprises and the history."""

    name = "screen_pop"
    needs = (Database, Reference)

    async def open(self, runtime: Runtime) -> None:
        """Load the contacts."""
        settings = runtime.settings
        self._pops = ScreenPopService(
            pop_rules(settings),
            pop_enterprises(runtime.get(Reference)),
            await asyncio.to_thread(load_contacts, settings.reference.contacts),
            CallerRepository(runtime.get(Database)),
            settings.privacy.model(),
        )

    def jobs(self) -> Iterable[Job]:
        """The tables of numbers' places are loaded before the first caller."""
        return [Job("places", partial(asyncio.to_thread, load_places))]

    def routes(self, access: Access) -> Iterable[APIRouter]:
        """`/calls/{id}/pop`."""
        return [screen_pop.router(access, self._pops)]


def pop_rules(settings: Settings) -> PopRules:
    """What the configuration says of screen-pops."""
    return PopRules(
        repeat_calls=settings.desk.repeat_calls,
        repeat_days=settings.desk.repeat_days,
        menu={line.digit: line.name for line in settings.lines if line.digit},
    )


def pop_enterprises(reference: Reference) -> dict[str, PopEnterprise]:
    """The enterprises of the directory by name and alias."""
    return {
        name: PopEnterprise(one.name, one.code, one.town)
        for one in reversed(reference.enterprises)
        for name in (*one.aliases, one.name)
    }
