"""Whom a call can be passed to."""

from domain.queues import AgentState, AgentStatus, Queue, Waiting
from gateway.call_control.directory import LiveDirectory
from gateway.call_control.view import View
from gateway.settings import load_settings
from gateway.settings.load import EXAMPLE
from tests.support.call_control import RULES
from workorders.directories.reference import Unit


def test_names_are_configured_and_states_are_of_now() -> None:
    agent = AgentStatus(
        "1001", "王芳", "PJSIP/1001", AgentState.AVAILABLE, 1.0, queues=("q12345",), pbx="main"
    )
    waiting = (Waiting("c1", "1.1", 1, 1.0), Waiting("c2", "2.1", 2, 2.0))
    queues = {("main", "q12345"): Queue("q12345", "main", "12345", waiting)}
    units = [Unit("区城市管理局", aliases=("城管局",), phone="051386550001"), Unit("区档案馆")]
    directory = LiveDirectory(
        load_settings(EXAMPLE), units, lambda: View(RULES, {"1001": agent}, {}, queues)
    ).now()
    first, second, _ = directory.agents
    assert (first.id, first.name, first.state) == ("1001", "王芳", AgentState.AVAILABLE)
    assert second.state is AgentState.LOGGED_OUT, "the PBX has not told of them"
    assert {"1001", "wangfang", "wf"} <= set(first.search.split())
    line = directory.lines[0]
    assert (line.id, line.waiting, line.available) == ("12345", 2, 1)
    (unit,) = directory.units
    assert unit.name == "区城市管理局", "a unit without a number cannot be called"
    assert {"051386550001", "城管局", "cgj"} <= set(unit.search.split())
