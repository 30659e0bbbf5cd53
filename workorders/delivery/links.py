"""Links by which a work-order system fetches what belongs to an order: signed, for one system, expiring.

Who has a link may fetch what it names until it expires, as with a key: it names one recording, or what was
said on one call, and the system it was made for, so that the audit says whose key was used. Pure.
"""

import hashlib
from enum import StrEnum

from itsdangerous import BadData, URLSafeSerializer
from msgspec import Struct

DAY_S = 86400
PATH = "/api/v1/shared"
MAX_TOKEN = 1000
LEAST_SECRET = 16


class Shared(StrEnum):
    """What a link leads to."""

    RECORDING = "recording"
    """WAV."""
    WEBVTT = "webvtt"
    """What was said on that recording, as subtitles."""
    TRANSCRIPT = "transcript"
    """What was said on the call, as text."""


FILES = {
    Shared.RECORDING: "recording.wav",
    Shared.WEBVTT: "recording.vtt",
    Shared.TRANSCRIPT: "transcript.txt",
}


class LinkUnknownError(Exception):
    """The link was not made here, or was altered."""


class LinkExpiredError(Exception):
    """The link has expired."""

    def __init__(self, grant: "Grant") -> None:
        super().__init__()
        self.grant = grant


class Grant(Struct, frozen=True):
    """What a link is for."""

    shared: Shared
    endpoint: str
    """The work-order system it was made for."""
    order_id: str
    id: str
    """Of the recording, or of the call."""
    expires_at: int
    """POSIX seconds."""


class DocumentLinks:
    """Makes the links of orders' documents, and reads them. The same order gives the same links."""

    def __init__(self, base: str, secret: str, days: float) -> None:
        """`base`: where other systems reach this gateway; `days`: how long a link is good.

        Raises:
            ValueError: the secret is too short to be one.
        """
        if len(secret) < LEAST_SECRET:
            raise ValueError(
                f"links: a secret of at least {LEAST_SECRET} characters; `openssl rand -hex 32` makes one"
            )
        self._base = base.rstrip("/")
        self._days = days
        self._signer = URLSafeSerializer(
            secret,
            salt="hotline shared",
            signer_kwargs={"key_derivation": "hmac", "digest_method": hashlib.sha256},
        )

    def expiry(self, left_at: float) -> int:
        """Until when the links of an order that left then are good, POSIX seconds."""
        return int(left_at + self._days * DAY_S)

    def url(self, grant: Grant) -> str:
        """The link."""
        parts = [grant.shared.value, grant.endpoint, grant.order_id, grant.id, grant.expires_at]
        return f"{self._base}{PATH}/{self._signer.dumps(parts)}/{FILES[grant.shared]}"

    def read(self, token: str, now: float) -> Grant:
        """What the link is for.

        Raises:
            LinkUnknownError: it was not made here, or was altered.
            LinkExpiredError: it is of the past.
        """
        try:
            if len(token) > MAX_TOKEN:
                raise LinkUnknownError
            shared, endpoint, order_id, identity, expires_at = self._signer.loads(token)
            grant = Grant(Shared(shared), endpoint, order_id, identity, expires_at)
        except (BadData, ValueError, TypeError):
            raise LinkUnknownError from None
        if now >= grant.expires_at:
            raise LinkExpiredError(grant)
        return grant
