"""Where the gateway itself listens, and where it stores data."""

from typing import Annotated, Literal

from pydantic import AnyHttpUrl, Field, SecretStr, field_validator

from gateway.settings.base import Port, SecretHolder, Section

PEER = r"^[A-Za-z0-9.-]{1,255}:[0-9]{1,5}$"
CLIENTS_ANYWAY, CLIENTS_PER_AGENT = 500, 2
"""Room for supervisors and walls, and for agents whose lost connection has not been noticed yet."""
LEAST_KEPT_DAYS = 7


class HttpSettings(Section):
    host: str = "127.0.0.1"
    port: Port = 8600
    stream_port: Port = Field(default=8601, description="websocket stream")
    public_stream_url: str | None = Field(
        default=None, description="what browsers use behind a proxy, e.g. wss://desk.example/stream"
    )
    allowed_origins: list[str] = Field(default_factory=list, description="in addition to our own")
    secure_cookies: bool = Field(default=False, description="true behind HTTPS")
    session_hours: Annotated[float, Field(gt=0, le=168)] = 12.0
    advertise: str | None = Field(
        default=None, description="where this process's page is, as others are told; default: host and port"
    )
    max_clients: Annotated[int, Field(ge=1)] | None = Field(
        default=None,
        description="clients following the stream at once; default: 500 and two for each configured agent",
    )
    export_rows: Annotated[int, Field(ge=1, le=1_000_000)] = Field(
        default=500_000, description="most rows in an export (CSV, XLSX)"
    )
    token_requests_per_minute: Annotated[float, Field(ge=1, le=1_000_000)] = Field(
        default=600.0, description="requests of one API token; half of them may come at once"
    )
    deflate: bool = Field(default=False, description="permessage-deflate on the stream: for slow networks")

    def clients(self, agents: int) -> int:
        """Return how many clients may follow the stream where so many agents are configured."""
        return self.max_clients or CLIENTS_ANYWAY + CLIENTS_PER_AGENT * agents


class DatabaseSettings(Section):
    url: str | None = Field(
        default=None,
        description="sqlite+aiosqlite:///PATH or postgresql+asyncpg://USER@HOST/NAME; default: data_dir",
    )
    password: SecretStr | None = Field(default=None, description="from the environment only")
    keep_commands_days: Annotated[float, Field(ge=1)] = Field(
        default=30.0, description="how long command ids are kept, so that a repeated command is not run twice"
    )

    @field_validator("url")
    @classmethod
    def _known_driver(cls, url: str | None) -> str | None:
        if url is None or url.startswith(("sqlite+aiosqlite://", "postgresql+asyncpg://")):
            return url
        raise ValueError("begin it with sqlite+aiosqlite:/// or postgresql+asyncpg://")


class JournalSettings(Section):
    """The record of everything that happened, step by step."""

    keep_days: Annotated[float, Field(ge=0)] = Field(
        default=400.0,
        description="how long the steps of a call are kept, from 7 days on; 0: for ever. Calls, transcripts,"
        " orders, figures and the audit log stay whatever is set here",
    )

    @field_validator("keep_days")
    @classmethod
    def _long_enough(cls, days: float) -> float:
        if 0 < days < LEAST_KEPT_DAYS:
            raise ValueError(
                f"work after a call may need its steps: keep {LEAST_KEPT_DAYS} days or more (0: for ever)"
            )
        return days


class LinkSettings(SecretHolder):
    """Links in orders' documents, by which work-order systems fetch recordings and transcripts.

    Off if `url` is empty. `secret` signs them.
    """

    url: AnyHttpUrl | None = Field(
        default=None, description="where those systems reach this gateway, e.g. https://hotline.example.cn"
    )
    days: Annotated[float, Field(gt=0, le=3660)] = Field(
        default=30.0, description="after the order has left, a link is good for so long"
    )

    @property
    def secret_variable(self) -> str:
        return "HOTLINE_LINKS_SECRET"


class AgiSettings(Section):
    """Where the PBX reaches our FastAGI server."""

    host: str = "127.0.0.1"
    port: Port = 4573
    advertise: str | None = Field(default=None, description="HOST:PORT the PBX uses; default host:port")
    peers: list[Annotated[str, Field(pattern=PEER)]] = Field(
        default_factory=list,
        description="HOST:PORT of the FastAGI servers of the gateways that serve in turn with this one",
    )


class AudioSocketSettings(Section):
    """Where the PBX sends live audio."""

    host: str = "127.0.0.1"
    port: Port = 4574
    advertise: str | None = None


class MediaSocketSettings(Section):
    """Where a PBX with `live_audio = "websocket"` sends live audio."""

    host: str = "127.0.0.1"
    port: Port = 4575
    advertise: str | None = None
    peers: list[Annotated[str, Field(pattern=PEER)]] = Field(
        default_factory=list, description="HOST:PORT of the gateways that serve in turn with this one"
    )

    @property
    def address(self) -> str:
        """HOST:PORT that the PBX uses."""
        return self.advertise or f"{self.host}:{self.port}"


class DemoSettings(Section):
    enabled: bool = Field(default=False, description="demo PBX calls and demo accounts")
    call_every_s: Annotated[float, Field(ge=0)] = Field(default=60.0, description="0: no automatic calls")


class LogSettings(Section):
    level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    format: Literal["auto", "json", "console"] = "auto"
