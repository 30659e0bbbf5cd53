"""SIP passwords of agents' phones: a file per PBX (user, tab, password), or a secret per agent."""

import os
import secrets
from collections.abc import Mapping
from pathlib import Path

from gateway.settings import AgentSettings


def new_password() -> str:
    """Generate 128 random bits as hex digits, which a person can type into a phone.

    There is no `x` in it, so it cannot begin with `0x`, which some SIP programs take for a hexadecimal key.
    """
    return secrets.token_hex(16)


def read_passwords(path: Path) -> dict[str, str]:
    """Read the file: SIP user → password.

    Raises:
        ValueError: the file cannot be read or a line is malformed; the message never quotes its content.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"phones_file {path}: {getattr(error, 'strerror', None) or 'not UTF-8'}") from None
    passwords: dict[str, str] = {}
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.startswith("#"):
            continue
        user, tab, password = line.partition("\t")
        if not tab or not user or not password.strip():
            raise ValueError(f"phones_file {path}, line {number}: write the SIP user, a tab, the password")
        passwords[user] = password.strip()
    return passwords


def write_passwords(path: Path, passwords: Mapping[str, str]) -> None:
    """Write the file atomically, readable by its owner only.

    Raises:
        OSError: it cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial")
    partial.unlink(missing_ok=True)
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.writelines(f"{user}\t{password}\n" for user, password in passwords.items())
    partial.replace(path)


def own_password(agent: AgentSettings) -> str | None:
    """Return the agent's own secret, if one is configured.

    Raises:
        ValueError: its file cannot be read.
    """
    if agent.secret is None and agent.secret_file is None:
        return None
    return agent.read_secret()
