"""Whom a call can be passed to: what an agent searches when transferring or calling in."""

from msgspec import Struct

from domain.queues import AgentState


class DirectoryAgent(Struct, frozen=True):
    """A colleague; `lines` are ids."""

    id: str
    name: str
    state: AgentState
    lines: tuple[str, ...]
    search: str
    """Name, pinyin and initials, lower case: what may be typed to find them."""


class DirectoryLine(Struct, frozen=True):
    """A line, by its queue."""

    id: str
    name: str
    queue: str
    waiting: int
    available: int
    """Agents of it who could take a call now."""
    search: str


class DirectoryUnit(Struct, frozen=True):
    """A responsible unit (承办单位) with a number to call."""

    name: str
    phone: str
    search: str


class Directory(Struct, frozen=True):
    agents: tuple[DirectoryAgent, ...]
    lines: tuple[DirectoryLine, ...]
    units: tuple[DirectoryUnit, ...]
