"""What a standalone gateway makes of a configuration that names no PBX."""

from pathlib import Path
from typing import Any, cast

from pydantic import AnyHttpUrl

from gateway.settings import AgentSettings, Settings
from gateway.standalone import standalone_settings


class Receiver:
    url = str(AnyHttpUrl("http://127.0.0.1:9/orders"))


def standalone(settings: Settings, *, browsers: bool) -> Settings:
    return standalone_settings(settings, cast(Any, Receiver()), Path("secret"), browsers=browsers)


def test_people_have_browser_phones_and_a_recorded_voice_stands_in_on_each_line() -> None:
    whole = standalone(Settings(), browsers=True)
    people = [agent for agent in whole.agents if agent.softphone]
    voices = [agent for agent in whole.agents if not agent.softphone]
    assert [agent.phone for agent in people] == ["PJSIP/1001", "PJSIP/1002", "PJSIP/1003"]
    assert [list(agent.lines) for agent in voices] == [[line.id] for line in whole.lines]
    assert all(agent.phone == f"Local/{agent.id}@hotline-demo-agents/n" for agent in voices)
    for line in whole.lines:
        own = min(agent.lines[line.id] for agent in people if line.id in agent.lines)
        (stand_in,) = (agent.lines[line.id] for agent in voices if line.id in agent.lines)
        assert own < stand_in <= line.overflow_steps[0].max_penalty
    # What was put together is a configuration like any other.
    Settings.model_validate(whole.model_copy(update={"pbx": []}).model_dump())


def test_a_voice_takes_nobodys_number_and_the_demo_pbx_has_voices_alone() -> None:
    settings = Settings(agents=[AgentSettings(id="9001", name="x", phone="PJSIP/9001")])
    ids = [agent.id for agent in standalone(settings, browsers=True).agents]
    assert ids == ["9001", "9002", "9003", "9004"]
    (only,) = standalone(settings, browsers=False).agents
    assert (only.phone, only.softphone) == ("Local/9001@hotline-demo-agents/n", False)
