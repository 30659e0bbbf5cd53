"""PBXs, and outbound calls through them."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, SecretStr

from domain.dialling import DialRule, dial_regex
from domain.softphones import is_turn
from gateway.settings.base import Identifier, RoleName, SecretHolder, Section, read_secret_file, shell

HOST = r"^[A-Za-z0-9.-]{1,255}$"

WEBSOCKET_URL = r"^wss?://([A-Za-z0-9.-]{1,255}|\[[0-9a-fA-F:]+\])(:[0-9]{1,5})?(/[A-Za-z0-9._~/-]*)?$"

ICE_URL = r"^(stuns?|turns?):[A-Za-z0-9.-]{1,255}(:[0-9]{1,5})?(\?transport=(udp|tcp))?$"

PBX_PATH = r"^/[A-Za-z0-9._/-]{1,255}$"

SIP_URI = r"^sips?:([A-Za-z0-9_.+-]{1,64}@)?[A-Za-z0-9.-]{1,255}(:[0-9]{1,5})?$"


class SoftphoneSettings(Section):
    """How browser phones reach a PBX: SIP over websocket, media by DTLS-SRTP."""

    url: Annotated[str, Field(pattern=WEBSOCKET_URL)] | None = Field(
        default=None, description="as seen by browsers, e.g. wss://pbx.example.cn:8089/ws"
    )
    domain: Annotated[str, Field(pattern=HOST)] | None = Field(
        default=None, description="domain of the phones' SIP addresses; default: the host in url"
    )
    ice_servers: list[Annotated[str, Field(pattern=ICE_URL)]] = Field(
        default_factory=list, description="stun: or turn: URLs; needed only across NAT"
    )
    turn_secret: SecretStr | None = Field(default=None, description="from the environment only")
    turn_secret_file: Path | None = Field(
        default=None, description="secret shared with the TURN servers (use-auth-secret, static-auth-secret)"
    )
    turn_ttl_s: Annotated[int, Field(ge=600, le=604_800)] = Field(
        default=43_200, description="lifetime of TURN credentials; browsers renew them at half that time"
    )
    port: Annotated[int, Field(ge=1, le=65535)] = Field(
        default=8089, description="Asterisk's own wss port, if it has a certificate"
    )
    certificate: Annotated[str, Field(pattern=PBX_PATH)] | None = Field(
        default=None, description="PEM file with the chain, as the PBX names it"
    )
    key: Annotated[str, Field(pattern=PBX_PATH)] | None = Field(
        default=None, description="its key, as the PBX names it; default: in the certificate's file"
    )

    @property
    def uses_turn(self) -> bool:
        """Whether a TURN secret is needed."""
        return any(is_turn(url) for url in self.ice_servers)


class PbxSettings(SecretHolder):
    """One Asterisk. `secret` is the AMI user's."""

    name: Identifier
    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=1, le=65535)] = 5038
    username: Identifier = "hotline"
    tls: bool = False
    recordings_prefix: str = Field(
        default="/var/spool/asterisk/monitor/hotline", description="as the PBX names the directory"
    )
    recordings_dir: Path = Field(
        default=Path("/var/spool/asterisk/monitor/hotline"), description="the same directory as we see it"
    )
    queue_log: Path | None = Field(
        default=None,
        description="Asterisk's queue_log as we see it: tells of the calls while the gateway was away",
    )
    cdr: Path | None = Field(
        default=None, description="the same of cdr-csv/Master.csv, written with loguniqueid=yes"
    )
    cel: Path | None = Field(
        default=None, description="the same of cel-custom/Master.csv, with the columns of Asterisk's sample"
    )
    cdr_utc: bool = Field(default=False, description="its times are UTC (usegmtime=yes in cdr.conf)")
    live_audio: Literal["audiosocket", "websocket"] = Field(
        default="audiosocket", description="websocket: chan_websocket, Asterisk 20.16, 22.6, 23 or newer"
    )
    softphone: SoftphoneSettings = SoftphoneSettings()
    phones_file: Path | None = Field(
        default=None, description="SIP passwords of the phones, made by `hotline deploy asterisk`"
    )
    ping_interval_s: Annotated[float, Field(gt=0)] = 10.0
    action_timeout_s: Annotated[float, Field(gt=0)] = 10.0
    reconnect_max_s: Annotated[float, Field(gt=0)] = 30.0

    @property
    def secret_variable(self) -> str:
        return f"HOTLINE_PBX_{shell(self.name)}_SECRET"

    @property
    def turn_variable(self) -> str:
        """The environment variable for the TURN secret; it takes precedence over `turn_secret_file`."""
        return f"HOTLINE_PBX_{shell(self.name)}_TURN_SECRET"

    def read_turn_secret(self) -> str:
        """Return the secret shared with the TURN servers.

        Raises:
            ValueError: there is none, or its file cannot be read; the message names the fix.
        """
        if self.softphone.turn_secret is not None:
            return self.softphone.turn_secret.get_secret_value()
        file = self.softphone.turn_secret_file
        if file is None:
            raise ValueError(
                f"no TURN secret: set softphone.turn_secret_file of PBX {self.name},"
                f" or {self.turn_variable} in the environment"
            )
        return read_secret_file("turn_secret_file", file)


def _dial_pattern(text: str) -> str:
    pattern = text.removeprefix("_")
    dial_regex(pattern)
    return pattern


class OutboundRule(Section):
    """Outside numbers that may be dialled. The trunk is closed to any number no rule allows."""

    patterns: list[Annotated[str, AfterValidator(_dial_pattern)]] = Field(
        min_length=1, description="Asterisk patterns X Z N [1-5] without . and !: each of fixed length"
    )
    roles: list[RoleName] = Field(
        default_factory=list, description="empty: everybody, also when dialling on the phone itself"
    )
    lines: list[Identifier] = Field(default_factory=list, description="only agents of these lines")

    def model(self) -> DialRule:
        """Return the plain form used by the other packages."""
        return DialRule(tuple(self.patterns), frozenset(self.roles), frozenset(self.lines))


class OutboundSettings(Section):
    """Outbound calls through the trunk."""

    allow: list[OutboundRule] = Field(default_factory=list)
    trunk: Identifier = Field(default="trunk", description="PJSIP endpoint for outbound calls")
    contact: Annotated[str, Field(pattern=SIP_URI)] | None = Field(
        default=None, description="where the carrier accepts calls, e.g. sip:sbc.carrier.example:5060"
    )
    context: Identifier | None = Field(
        default=None, description="the PBX's own context for outbound calls (FreePBX: from-internal)"
    )
