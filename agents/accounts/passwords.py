"""Argon2id password hashes (RFC 9106), with an even cost for known and unknown names."""

import secrets

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError


class Passwords:
    """Hash and verify. Blocking and slow by intent (tens of milliseconds): call it in a thread."""

    def __init__(self, hasher: PasswordHasher | None = None) -> None:
        """`hasher` carries the cost; the default is RFC 9106, low memory (64 MiB, 3 passes)."""
        self._hasher = hasher or PasswordHasher()
        # What an unknown name is checked against: nobody has this password.
        self._nobody = self._hasher.hash(secrets.token_hex(16))

    def hash(self, password: str) -> str:
        """The PHC string to store, salted afresh each time."""
        return self._hasher.hash(_bytes(password))

    def verify(self, password_hash: str | None, password: str) -> bool:
        """Whether they match; with `None` (unknown name) the same work is done and the answer is no."""
        try:
            self._hasher.verify(password_hash or self._nobody, _bytes(password))
        except (VerificationError, InvalidHashError):
            return False
        return password_hash is not None

    def outdated(self, password_hash: str) -> bool:
        """Whether the hash was made with other parameters than today's and should be made anew."""
        return self._hasher.check_needs_rehash(password_hash)


def _bytes(password: str) -> bytes:
    # JSON can carry lone surrogates; they are a wrong password, not a crash.
    return password.encode("utf-8", "surrogatepass")
