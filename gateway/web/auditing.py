"""What people do through the API that is no command of the desk, noted in the audit."""

import time
import uuid
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol

from agents.accounts.identity import Principal
from domain.audit import AuditEntry, action_entry
from domain.messages import Message


class AuditNotes(Protocol):
    """Port: the audit, appended to."""

    async def note(self, entry: AuditEntry) -> None:
        """Append."""
        ...


Note = Callable[..., Awaitable[None]]
"""`note_into`'s result."""


def note_into(audit: AuditNotes) -> Note:
    """`note(who, name, args, refused=None)`, which appends to `audit`."""

    async def note(
        who: Principal, name: str, args: Mapping[str, Any], refused: Message | None = None
    ) -> None:
        """Append that `who` did `name` (`<resource>.<verb>`) with `args`, or was `refused` and why.

        `args` must hold no secret.
        """
        await audit.note(
            action_entry(
                at=time.time(),
                action_id=str(uuid.uuid4()),
                username=who.username,
                role=str(who.role),
                agent=who.agent_id,
                name=name,
                args=args,
                refused=refused,
            )
        )

    return note
