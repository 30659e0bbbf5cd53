"""Audiences: what one client of the stream may see. Pure."""

from collections.abc import Collection
from typing import get_args

from msgspec import Struct, structs

from agents.accounts.identity import Identity, Permission
from domain.frames import Topic
from domain.visibility.policy import SCREEN, WHOLE, Privacy, Visibility

TOPICS: tuple[str, ...] = get_args(Topic)


class Audience(Struct, frozen=True, cache_hash=True):
    """What one client may see. Clients with equal audiences get the very same bytes."""

    sees_all: bool
    agent: str | None
    visibility: Visibility = WHOLE
    topics: frozenset[str] = frozenset(TOPICS)

    @property
    def anybody(self) -> "Audience":
        """The audience without the agent: all alike get the same bytes of what is not one agent's own."""
        return structs.replace(self, agent=None)


def audience_of(
    identity: Identity, privacy: Privacy, topics: Collection[str] = TOPICS, *, screen: bool = False
) -> Audience:
    """Return a signed-in user's audience; with `screen`, that of everyone looking at their big screen."""
    return Audience(
        sees_all=identity.may(Permission.SEE_ALL),
        agent=identity.agent_id,
        visibility=privacy.visibility(SCREEN if screen else identity.role),
        topics=frozenset(topics) & frozenset(TOPICS),
    )
