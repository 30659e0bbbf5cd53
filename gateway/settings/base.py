"""Base classes for all sections of the configuration."""

import re
from pathlib import Path
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr

from domain.text import is_line

# Ids, queues and phones end up in Asterisk's configuration and in AMI actions, so the alphabet is restricted.
IDENTIFIER = r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$"

DIALLED = r"^\+?[0-9*#]{1,32}$"

MAX_SECRET = 10_000
RoleName = Literal["agent", "supervisor", "admin"]

Identifier = Annotated[str, Field(pattern=IDENTIFIER)]


def one_line(text: str) -> str:
    if not is_line(text):
        raise ValueError("must be one line without control characters")
    return text


def zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError("unknown time zone; write it like Asia/Shanghai") from error
    return name


def shell(name: str) -> str:
    return re.sub(r"[^A-Z0-9]", "_", name.upper())


Text = Annotated[str, Field(max_length=200), AfterValidator(one_line)]

Port = Annotated[int, Field(ge=0, le=65535)]


class Section(BaseModel):
    """A section; unknown keys are errors, so that a typo cannot silently become a default."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def read_secret_file(key: str, path: Path) -> str:
    """Read the secret from the file that the configuration names under `key`.

    Raises:
        ValueError: it cannot be read.
    """
    try:
        secret = path.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise ValueError(f"{key} {path}: {error.strerror or error}") from error
    except UnicodeDecodeError:
        raise ValueError(f"{key} {path}: no UTF-8 text; save the secret as plain text") from None
    if not is_line(secret.replace("\n", "").replace("\r", ""), MAX_SECRET):
        raise ValueError(f"{key} {path}: holds a control character, or is endless; write the secret anew")
    return secret


class SecretHolder(Section):
    """A section with a secret, from `secret_file` or the environment, never from the TOML file itself."""

    @property
    def secret_variable(self) -> str:
        """The environment variable for this secret; it takes precedence over `secret_file`."""
        raise NotImplementedError

    secret: SecretStr | None = Field(default=None, description="from the environment only")
    secret_file: Path | None = None

    def read_secret(self) -> str:
        """Return the secret.

        Raises:
            ValueError: there is none, or its file cannot be read; the message names the fix.
        """
        if self.secret is not None:
            return self.secret.get_secret_value()
        if self.secret_file is None:
            raise ValueError(f"no secret: set secret_file, or {self.secret_variable} in the environment")
        return read_secret_file("secret_file", self.secret_file)
