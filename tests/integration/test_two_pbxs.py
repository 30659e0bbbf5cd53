"""Two real Asterisks, one gateway: one of them dies in mid-call, the other's calls go on undisturbed."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from domain.calls import Call, CallState, EndReason
from domain.facts import AnyFact, CallEnded, PbxLinkChanged
from domain.queues import AgentState
from gateway.asterisk.private import PrivateAsterisk
from gateway.runtime import Runtime
from gateway.settings import PbxSettings, Settings
from tests.support.gateway import gateway_on
from tests.support.pbx import private, scenario_sounds
from tests.support.sip.softphone import Softphone

pytestmark = [pytest.mark.asterisk]


def phone(asterisk: PrivateAsterisk, user: str) -> Softphone:
    options = asterisk.options
    return Softphone(options.sip_port, user, options.phone_passwords[user])


def outside(asterisk: PrivateAsterisk) -> Softphone:
    return Softphone(asterisk.options.sip_port, "outside", address="127.0.0.2")


async def until(true: Callable[[], object], what: str, timeout: float = 15.0) -> None:
    try:
        async with asyncio.timeout(timeout):
            while not true():  # noqa: ASYNC110 - the picture is looked at
                await asyncio.sleep(0.03)
    except TimeoutError:
        raise AssertionError(f"not in time: {what}") from None


def only_call(running: Runtime, pbx: str) -> Call | None:
    calls = running.pbx_states[pbx].live_calls
    return calls[0] if len(calls) == 1 else None


def talking(running: Runtime, pbx: str, agent: str) -> bool:
    return any(
        call.state is CallState.TALKING and call.agent == agent for call in running.pbx_states[pbx].live_calls
    )


async def test_one_dies_in_mid_call_and_the_other_goes_on(example: Settings, tmp_path: Path) -> None:
    home = {name: PbxSettings(name=name, reconnect_max_s=1.0) for name in ("east", "west")}
    people = {"east": example.agents[:2], "west": example.agents[2:]}
    own = {
        name: example.model_copy(update={"pbx": [home[name]], "agents": people[name]}) for name in home
    }  # what each PBX is rendered from

    def one(name: str) -> PrivateAsterisk:
        return private(PrivateAsterisk, own[name], tmp_path / name, provide=scenario_sounds)

    async with one("east") as east, one("west") as west:
        agents = [*people["east"], *(her.model_copy(update={"pbx": "west"}) for her in people["west"])]
        settings = example.model_copy(update={"agents": agents})
        async with (
            gateway_on(settings, [east.pbx, west.pbx], tmp_path / "data") as running,
            phone(east, "1001"),
            phone(east, "1002"),
            phone(west, "1003"),
            outside(east) as caller,
            outside(west) as lost_caller,
        ):
            facts: list[AnyFact] = []
            running.bus.listen(facts.append)
            for link in running.links.values():
                await until(lambda link=link: link.state.phase == "up", "both links")  # type: ignore[misc]
            await caller.dial("12345", "13962875031")
            await until(lambda: talking(running, "east", "1001"), "a conversation in the east")
            await lost_caller.dial("12347", "13962875032")
            await until(lambda: talking(running, "west", "1003"), "a conversation in the west")
            kept, lost = only_call(running, "east"), only_call(running, "west")
            assert kept is not None
            assert lost is not None
            facts.clear()

            west.kill()
            await until(lambda: running.links["west"].state.phase == "disconnected", "the west is missed")
            # In the east one goes on talking while others come, talk and go.
            passing = await caller.dial("12346", "13962875033")
            await until(lambda: talking(running, "east", "1002"), "a second conversation in the east")
            await passing.hang_up()
            await until(lambda: only_call(running, "east"), "the second is over")
            (over,) = [fact.call for fact in facts if isinstance(fact, CallEnded)]
            assert (over.pbx, over.caller.number, over.agent) == ("east", "13962875033", "1002")
            assert over.end_reason is EndReason.COMPLETED
            assert {fact.pbx for fact in facts if isinstance(fact, PbxLinkChanged)} == {"west"}
            assert running.links["east"].state.phase == "up"
            # What was known of the west stays until the west itself says otherwise.
            assert only_call(running, "west") is not None

            await west.stop()
            await west._start()
            await until(lambda: running.links["west"].state.phase == "up", "the west is back", 30)
            await until(lambda: not running.pbx_states["west"].live_calls, "its lost call is closed")
            ended = {fact.call.id: fact.call.end_reason for fact in facts if isinstance(fact, CallEnded)}
            assert ended == {over.id: EndReason.COMPLETED, lost.id: EndReason.UNSEEN}
            still = only_call(running, "east")
            assert still is not None
            assert (still.id, still.state, still.agent) == (kept.id, CallState.TALKING, "1001")
            assert running.pbx_states["east"].queue_state.agents["1001"].state is AgentState.TALKING
