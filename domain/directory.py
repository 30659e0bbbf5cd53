"""The directory of possible targets, searched when transferring a call or adding a party."""

from msgspec import Struct

from domain.queues import AgentState


class DirectoryAgent(Struct, frozen=True):
    """A colleague. `lines` are line ids."""

    id: str
    name: str
    state: AgentState
    lines: tuple[str, ...]
    search: str
    """Lower-case search text: name, pinyin and pinyin initials."""


class DirectoryLine(Struct, frozen=True):
    """A line, reached through its queue."""

    id: str
    name: str
    queue: str
    waiting: int
    available: int
    """Agents of the line who could take a call now."""
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
