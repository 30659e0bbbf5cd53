"""Modules: the example of the documentation runs in a whole gateway; a list that does not fit is refused."""

import re
from collections import Counter
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from agents.accounts.identity import Role
from domain.calls import Call, CallState, Direction, Party
from domain.facts import CallEnded
from gateway.app import MODULES, run_gateway
from gateway.facts.recorder import FactRecorder
from gateway.module import Module, ModuleError, open_modules
from gateway.runtime import Runtime
from gateway.settings import AsrSettings, Settings
from gateway.storage.database import Database

DOCS = Path(__file__).resolve().parents[3] / "docs" / "architecture.md"
PASSWORD = "a long enough password"


def example() -> type[Module]:
    """The module of docs/architecture.md."""
    (code,) = re.findall(r"```python\n(.*?)```", DOCS.read_text(encoding="utf-8"), re.DOTALL)
    found: dict[str, Any] = {"__name__": "example"}
    exec(compile(code, str(DOCS), "exec"), found)
    module: type[Module] = found["CallsOfLinesModule"]
    return module


def settings(directory: Path) -> Settings:
    usual = Settings(data_dir=directory, asr=AsrSettings(engine="none"))
    return usual.model_copy(
        update={
            "http": usual.http.model_copy(update={"port": 0, "stream_port": 0}),
            "agi": usual.agi.model_copy(update={"port": 0}),
        }
    )


async def test_the_module_of_the_documentation_is_a_capability(tmp_path: Path) -> None:
    over = Call("main-1", "main", "1", Direction.INBOUND, CallState.ENDED, Party("1"), "12345", 1.0, "12345")
    async with run_gateway(settings(tmp_path), modules=[*MODULES, example()]) as runtime:
        await runtime.accounts.create_account("ban", PASSWORD, Role.SUPERVISOR)
        token = (await runtime.accounts.login("ban", PASSWORD, "here")).token
        runtime.get(FactRecorder).record(CallEnded(at=2.0, call=over))
        url = f"http://127.0.0.1:{runtime.web_port}"
        async with aiohttp.ClientSession(cookies={"hotline_session": token}) as http:
            async with http.get(f"{url}/api/v1/calls-of-lines") as answer:
                assert Counter(await answer.json()) == Counter({"12345": 1})
            async with http.get(f"{url}/metrics") as answer:
                assert 'hotline_calls_of_line{line="12345"} 1.0' in await answer.text()
        async with aiohttp.ClientSession() as http, http.get(f"{url}/api/v1/calls-of-lines") as answer:
            assert answer.status == 401


async def test_a_module_without_what_it_needs_is_refused_by_name(tmp_path: Path) -> None:
    class Needy(Module):
        name = "needy"
        needs = (Database,)

    async with AsyncExitStack() as stack:
        with pytest.raises(ModuleError, match="module needy needs Database: list a module"):
            await open_modules([Needy()], Runtime(settings(tmp_path), stack))


def test_every_module_has_a_name_of_its_own() -> None:
    names = [module.name for module in MODULES]
    assert len(set(names)) == len(names)
