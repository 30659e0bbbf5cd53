"""Signing as Standard Webhooks says (https://www.standardwebhooks.com), and what a secret means. Pure."""

import base64
from datetime import UTC, datetime

from standardwebhooks import Webhook

PREFIX = "whsec_"
_STANDARD = str.maketrans("-_", "+/")


def webhook(secret: str) -> Webhook:
    """What signs, and checks, with this secret: after `whsec_` it is base64, any other is taken as it is.

    The base64 may lack its padding, be of the URL-safe alphabet or broken into lines; a `v1,` before
    `whsec_`, as some systems show it, is no part of it.

    Raises:
        ValueError: nothing can be signed with it; the text says the fix, and nothing of the secret.
    """
    named = secret.removeprefix("v1,")
    if not named.startswith(PREFIX):
        key = secret.encode()
    else:
        digits = "".join(named.removeprefix(PREFIX).split()).rstrip("=").translate(_STANDARD)
        try:
            key = base64.b64decode(digits + "=" * (-len(digits) % 4), validate=True)
        except ValueError:
            raise ValueError(
                f"what follows {PREFIX} in the secret is no base64: copy it anew from the work-order system;"
                f" a secret of one's own choosing stands without {PREFIX}"
            ) from None
    if not key:
        raise ValueError("the secret is empty: put the one shared with the work-order system there")
    return Webhook(key)


def sign(secret: str, identity: str, stamp: int, body: bytes) -> str:
    """The `webhook-signature` header of one try at `stamp` (POSIX seconds).

    Raises:
        ValueError: it cannot be signed, as in `webhook`, or because the body is no UTF-8.
    """
    return webhook(secret).sign(identity, datetime.fromtimestamp(stamp, UTC), body.decode())
