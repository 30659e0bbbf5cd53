"""What people do through the API that is no command of the desk, noted in the audit."""

import time
import uuid
from collections.abc import Mapping
from typing import Any

from agents.accounts.service import Identity
from domain.audit import action_entry
from domain.messages import Message
from gateway.web.services import WebServices


async def note(
    services: WebServices, who: Identity, name: str, args: Mapping[str, Any], refused: Message | None = None
) -> None:
    """Append to the audit that `who` did `name` (`<resource>.<verb>`) with `args`, or was `refused` and why.

    `args` must hold no secret.
    """
    if services.audit is None:
        return
    await services.audit.note(
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
