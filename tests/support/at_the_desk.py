"""A whole gateway without PBX or recogniser, with one call and its order, and a supervisor at the desk."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

from agents.accounts.identity import Role
from domain.calls import Call, CallState, Conversation, Direction, Party
from domain.facts import CallAnswered
from gateway.app import run_gateway
from gateway.facts.recorder import FactRecorder
from gateway.runtime import Runtime
from gateway.settings import AsrSettings, Settings
from gateway.storage.journal import JournalWriter

PASSWORD = "a long enough password"
CALL = Call(
    "main-1", "main", "1", Direction.INBOUND, CallState.TALKING, Party("13800138000"), "12345",
    1_780_000_000.0, line="12345", agent="1001",
    conversations=(Conversation("1001", "PJSIP/1001-1", 1_780_000_001.0),),
)  # fmt: skip


def settings(directory: Path, url: str) -> Settings:
    usual = Settings(data_dir=directory, asr=AsrSettings(engine="none"))
    return usual.model_copy(
        update={
            "http": usual.http.model_copy(update={"port": 0, "stream_port": 0}),
            "agi": usual.agi.model_copy(update={"port": 0}),
            "database": usual.database.model_copy(update={"url": url}),
        }
    )


class Supervisor:
    """At the desk, over HTTP."""

    def __init__(self, gateway: Runtime, http: aiohttp.ClientSession, csrf: str) -> None:
        self._url, self._http, self._csrf = f"http://127.0.0.1:{gateway.web_port}", http, csrf

    async def ask(self, method: str, path: str, body: Any = None) -> tuple[int, str | None, Any]:
        """(status, `Retry-After`, answer)."""
        headers = {"X-CSRF-Token": self._csrf}
        async with self._http.request(method, self._url + path, json=body, headers=headers) as answer:
            told = await answer.json() if "json" in answer.content_type else await answer.read()
            return answer.status, answer.headers.get("Retry-After"), told

    async def not_ready(self) -> str:
        """Why the database is not ready; empty where it is."""
        _, _, answer = await self.ask("GET", "/readyz")
        (check,) = [one for one in answer["checks"] if one["name"] == "database"]
        return "" if check["ok"] else check["detail"]


@asynccontextmanager
async def at_the_desk(path: Path, url: str, **changes: Any) -> AsyncIterator[tuple[Runtime, Supervisor, str]]:
    """`changes` to the gateway's settings."""
    async with run_gateway(settings(path, url).model_copy(update=changes)) as gateway:
        if "ban" not in {one.username for one in await gateway.accounts.list_accounts()}:
            await gateway.accounts.create_account("ban", PASSWORD, Role.SUPERVISOR)
        signed_in = await gateway.accounts.login("ban", PASSWORD, "here")
        fact = CallAnswered(at=CALL.started_at, call=CALL, agent="1001", channel="PJSIP/1001-1", waited=1.0)
        gateway.get(FactRecorder).record(fact)
        await gateway.get(JournalWriter).flush()
        await gateway.orders.on_call_answered(fact)
        (order,) = await gateway.orders.orders_of_call(CALL.id)
        async with aiohttp.ClientSession(cookies={"hotline_session": signed_in.token}) as http:
            yield gateway, Supervisor(gateway, http, signed_in.identity.csrf), order.id
