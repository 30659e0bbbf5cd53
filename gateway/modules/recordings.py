"""Recordings: kept in the archive, heard again."""

from collections.abc import Iterable

from fastapi import APIRouter

from gateway.factories import document_links
from gateway.module import Module
from gateway.runtime import Runtime
from gateway.storage.calls import CallRepository
from gateway.storage.command_log import CommandRepository
from gateway.telephony import Telephony
from gateway.web.access import Access
from gateway.web.auditing import note_into
from gateway.web.routes import recordings, shared
from recordings.half_way import finish_half_way
from recordings.service import RecordingService
from recordings.takeover import Archive


class RecordingsModule(Module):
    """Provides the `Archive`, and serves what is in it."""

    name = "recordings"
    needs = (Telephony, CallRepository, CommandRepository)

    async def open(self, runtime: Runtime) -> None:
        """The archive lies in the data directory; what a crash left half-way there is finished."""
        archive = Archive(runtime.settings.data_dir / "recordings")
        calls = runtime.get(CallRepository)
        self._recordings = RecordingService(runtime.get(Telephony).pbxs, archive, calls)
        self._calls = calls
        self._links = document_links(runtime.settings)
        self._audit = runtime.get(CommandRepository)
        await finish_half_way(archive, calls)
        runtime.provide(archive)

    def routes(self, access: Access) -> Iterable[APIRouter]:
        """`/recordings` and `/calls/{id}/clip`; `/shared`, by the links in orders' documents."""
        note = note_into(self._audit)
        return [
            recordings.router(access, self._recordings, note),
            shared.router(self._links, self._recordings, self._calls, note),
        ]
