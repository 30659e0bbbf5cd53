"""Who may sign in, and which systems may ask."""

from collections.abc import Iterable

from fastapi import APIRouter

from agents.accounts.service import AccountService
from agents.accounts.tokens import TokenService
from gateway.module import Module
from gateway.runtime import Runtime
from gateway.storage.accounts import AccountRepository
from gateway.storage.command_log import CommandRepository
from gateway.storage.database import Database
from gateway.storage.tokens import TokenRepository
from gateway.web.access import Access
from gateway.web.auditing import note_into
from gateway.web.exports import Exporter
from gateway.web.routes import accounts, exports, tokens


class AccountsModule(Module):
    """Accounts, roles and sessions of people, tokens of systems; administrators manage them over HTTP."""

    name = "accounts"
    needs = (Database, CommandRepository)

    async def open(self, runtime: Runtime) -> None:
        """Provide the `AccountService` and the `TokenService`."""
        repository = AccountRepository(runtime.get(Database))
        self._accounts = AccountService(
            repository, repository, session_s=runtime.settings.http.session_hours * 3600
        )
        self._tokens = TokenService(
            TokenRepository(runtime.get(Database)),
            known_lines=[line.id for line in runtime.settings.lines],
            per_minute=runtime.settings.http.token_requests_per_minute,
        )
        self._audit = runtime.get(CommandRepository)
        runtime.provide(self._accounts, self._tokens)
        runtime.on_stop(self._tokens.settle)

    def routes(self, access: Access) -> Iterable[APIRouter]:
        """`/admin/accounts` and `/admin/tokens`."""
        note = note_into(self._audit)
        return [accounts.router(access, self._accounts, note), tokens.router(access, self._tokens, note)]

    def exports(self, exporter: Exporter) -> None:
        """The accounts."""
        exports.accounts(exporter, self._accounts.list_accounts)
