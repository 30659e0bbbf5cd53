"""Messages of a work-order system about its orders, signed as it signs them."""

import json
import time
import uuid
from typing import Any

from domain.order_status import OrderStatus, Step
from workorders.delivery.signing import sign


def a_status(step: Step, deadline: float | None = None) -> OrderStatus:
    return OrderStatus("main/1", "o1", "main", step, 1.0, 2.0, deadline=deadline)


def signed(
    secret: str, body: dict[str, Any] | bytes, *, message_id: str = "", stamp: float | None = None
) -> tuple[dict[str, str], bytes]:
    """(headers, body) of one message."""
    data = body if isinstance(body, bytes) else json.dumps(body, ensure_ascii=False).encode()
    identity, at = message_id or str(uuid.uuid4()), int(time.time() if stamp is None else stamp)
    return {
        "content-type": "application/json",
        "webhook-id": identity,
        "webhook-timestamp": str(at),
        "webhook-signature": sign(secret, identity, at, data),
    }, data
