"""Who may sign in."""

from collections.abc import Iterable

from fastapi import APIRouter

from agents.accounts.service import AccountService
from gateway.module import Module
from gateway.runtime import Runtime
from gateway.storage.accounts import AccountRepository
from gateway.storage.command_log import CommandRepository
from gateway.storage.database import Database
from gateway.web.access import Access
from gateway.web.auditing import note_into
from gateway.web.exports import Exporter
from gateway.web.routes import accounts, exports


class AccountsModule(Module):
    """Accounts, roles and sessions; administrators manage them over HTTP."""

    name = "accounts"
    needs = (Database, CommandRepository)

    async def open(self, runtime: Runtime) -> None:
        """Provide the `AccountService`."""
        repository = AccountRepository(runtime.get(Database))
        self._accounts = AccountService(
            repository, repository, session_s=runtime.settings.http.session_hours * 3600
        )
        self._audit = runtime.get(CommandRepository)
        runtime.provide(self._accounts)

    def routes(self, access: Access) -> Iterable[APIRouter]:
        """`/admin/accounts`."""
        return [accounts.router(access, self._accounts, note_into(self._audit))]

    def exports(self, exporter: Exporter) -> None:
        """The accounts."""
        exports.accounts(exporter, self._accounts.list_accounts)
