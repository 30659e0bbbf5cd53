"""What can be configured. `gateway/settings/hotline.example.toml` is the documented form of this file."""

import re
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import (
    AfterValidator,
    AnyHttpUrl,
    BaseModel,
    ConfigDict,
    Field,
    PrivateAttr,
    SecretStr,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, SettingsConfigDict

from gateway.models.alarm import DAY_MEASURES, QUEUE_MEASURES, AlarmRule, Level, Measure
from gateway.models.dialling import DialRule, dial_regex
from gateway.models.line import Line
from gateway.models.queue import reserved_reason

# Ids, queues and phones end up in Asterisk's configuration and in AMI actions: the alphabet is closed.
IDENTIFIER = r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$"
PHONE = r"^(PJSIP|SIP|IAX2|Local)/[A-Za-z0-9][A-Za-z0-9_.@/-]{0,95}$"
DIALLED = r"^\+?[0-9*#]{1,32}$"

HOST = r"^[A-Za-z0-9.-]{1,255}$"
WEBSOCKET_URL = r"^wss?://([A-Za-z0-9.-]{1,255}|\[[0-9a-fA-F:]+\])(:[0-9]{1,5})?(/[A-Za-z0-9._~/-]*)?$"
ICE_URL = r"^(stuns?|turns?):[A-Za-z0-9.-]{1,255}(:[0-9]{1,5})?(\?transport=(udp|tcp))?$"
PBX_PATH = r"^/[A-Za-z0-9._/-]{1,255}$"
SIP_URI = r"^sips?:([A-Za-z0-9_.+-]{1,64}@)?[A-Za-z0-9.-]{1,255}(:[0-9]{1,5})?$"

RoleName = Literal["agent", "supervisor", "admin"]
Identifier = Annotated[str, Field(pattern=IDENTIFIER)]


def _one_line(text: str) -> str:
    if re.search(r"[\x00-\x1f\x7f]", text):
        raise ValueError("must be one line without control characters")
    return text


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError("not a time zone known here; write it as in Asia/Shanghai") from error
    return name


def _dial_pattern(text: str) -> str:
    pattern = text.removeprefix("_")
    dial_regex(pattern)
    return pattern


def _shell(name: str) -> str:
    return re.sub(r"[^A-Z0-9]", "_", name.upper())


Text = Annotated[str, Field(max_length=200), AfterValidator(_one_line)]
Port = Annotated[int, Field(ge=0, le=65535)]


class _Section(BaseModel):
    """Unknown keys are errors: a typo must not be a silent default."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class SecretHolder(_Section):
    """A secret comes from `secret_file` or from the environment, never from the TOML file's own text."""

    @property
    def secret_variable(self) -> str:
        """The environment variable that holds this secret; it wins over `secret_file`."""
        raise NotImplementedError

    secret: SecretStr | None = Field(default=None, description="from the environment only")
    secret_file: Path | None = None

    def read_secret(self) -> str:
        """The secret.

        Raises:
            ValueError: there is none, or its file cannot be read; the text says the mend.
        """
        if self.secret is not None:
            return self.secret.get_secret_value()
        if self.secret_file is None:
            raise ValueError(f"no secret: set secret_file, or {self.secret_variable} in the environment")
        try:
            return self.secret_file.read_text(encoding="utf-8").strip()
        except OSError as error:
            raise ValueError(f"secret_file {self.secret_file}: {error.strerror or error}") from error


class HttpSettings(_Section):
    host: str = "127.0.0.1"
    port: Port = 8600
    stream_port: Port = Field(default=8601, description="websocket stream")
    public_stream_url: str | None = Field(
        default=None, description="what browsers use behind a proxy, e.g. wss://desk.example/stream"
    )
    allowed_origins: list[str] = Field(default_factory=list, description="besides our own")
    secure_cookies: bool = Field(default=False, description="true behind HTTPS")
    session_hours: Annotated[float, Field(gt=0, le=168)] = 12.0
    max_clients: Annotated[int, Field(ge=1)] = Field(default=2000, description="followers of the stream")
    export_rows: Annotated[int, Field(ge=1, le=1_000_000)] = Field(
        default=500_000, description="an export (CSV, XLSX) holds at most so many rows"
    )
    deflate: bool = Field(default=False, description="permessage-deflate on the stream: for slow networks")


class DatabaseSettings(_Section):
    url: str | None = Field(
        default=None,
        description="sqlite+aiosqlite:///PATH or postgresql+asyncpg://USER@HOST/NAME; default: data_dir",
    )
    password: SecretStr | None = Field(default=None, description="from the environment only")
    keep_commands_days: Annotated[float, Field(ge=1)] = Field(
        default=30.0, description="how long a command's id is known, so that asking again does nothing twice"
    )

    @field_validator("url")
    @classmethod
    def _known_driver(cls, url: str | None) -> str | None:
        if url is None or url.startswith(("sqlite+aiosqlite://", "postgresql+asyncpg://")):
            return url
        raise ValueError("begin it with sqlite+aiosqlite:/// or postgresql+asyncpg://")


class SoftphoneSettings(_Section):
    """How browser phones reach a PBX: SIP over websocket, media by DTLS-SRTP."""

    url: Annotated[str, Field(pattern=WEBSOCKET_URL)] | None = Field(
        default=None, description="as browsers reach it, e.g. wss://pbx.example.cn:8089/ws"
    )
    domain: Annotated[str, Field(pattern=HOST)] | None = Field(
        default=None, description="of the phones' SIP addresses; default: the host in url"
    )
    ice_servers: list[Annotated[str, Field(pattern=ICE_URL)]] = Field(
        default_factory=list, description="stun: or turn: URLs; needed only across NAT"
    )
    port: Annotated[int, Field(ge=1, le=65535)] = Field(
        default=8089, description="where Asterisk itself takes wss, if it has a certificate"
    )
    certificate: Annotated[str, Field(pattern=PBX_PATH)] | None = Field(
        default=None, description="PEM file with the chain, as the PBX names it"
    )
    key: Annotated[str, Field(pattern=PBX_PATH)] | None = Field(
        default=None, description="its key, as the PBX names it; default: in the certificate's file"
    )


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
        return f"HOTLINE_PBX_{_shell(self.name)}_SECRET"


class AgiSettings(_Section):
    """Where the PBX reaches our FastAGI server."""

    host: str = "127.0.0.1"
    port: Port = 4573
    advertise: str | None = Field(default=None, description="HOST:PORT the PBX uses; default host:port")


class AudioSocketSettings(_Section):
    """Where the PBX sends live audio."""

    host: str = "127.0.0.1"
    port: Port = 4574
    advertise: str | None = None


FIRST_PENALTY = 1
"""Who is rung before any overflow. Not 0: as an upper limit, Asterisk takes 0 for none."""


class OverflowStep(_Section):
    """From `after_s` seconds of waiting on, agents with a penalty up to `max_penalty` are rung."""

    after_s: Annotated[int, Field(ge=0, le=86400)]
    max_penalty: Annotated[int, Field(ge=FIRST_PENALTY, le=100)]


class MediaSocketSettings(_Section):
    """Where a PBX with `live_audio = "websocket"` sends live audio."""

    host: str = "127.0.0.1"
    port: Port = 4575
    advertise: str | None = None


class LineSettings(_Section):
    id: Identifier
    name: Text
    numbers: list[Annotated[str, Field(pattern=DIALLED)]] = Field(default_factory=list)
    queue: Identifier
    digit: Annotated[str, Field(pattern=r"^[0-9*#]?$")] = ""
    service_level_s: Annotated[float, Field(gt=0)] = 15.0
    service_level_target: Annotated[float, Field(gt=0, le=1)] = Field(
        default=0.8, description="share of callers to be answered within service_level_s: the wall's target"
    )
    connection_target: Annotated[float, Field(gt=0, le=1)] = Field(
        default=0.95, description="share of callers to be answered at all (接通率): the wall's target"
    )
    abandon_after_s: Annotated[float, Field(ge=0)] = Field(
        default=5.0, description="who hangs up earlier is a short abandon (短时放弃), counted apart"
    )
    wrap_up_s: Annotated[float, Field(ge=0, le=3600)] = Field(
        default=0.0, description="wrap-up (话后处理) after each call; 0: none"
    )
    wrap_up_max_s: Annotated[float, Field(gt=0, le=14400)] = Field(
        default=300.0, description="wrap-up with all its extensions"
    )
    timezone: Annotated[str, AfterValidator(_zone)] = Field(
        default="Asia/Shanghai", description="whose midnight its figures begin at"
    )
    priority: Annotated[int, Field(ge=0, le=1000)] = Field(
        default=0, description="an agent of several lines gets the line of the highest priority first"
    )
    overflow: list[OverflowStep] = Field(
        default_factory=list, description="who is rung after how long; empty: all at once, by penalty"
    )
    ring_timeout_s: Annotated[int, Field(ge=1, le=300)] = Field(
        default=20, description="how long one agent's phone rings for a call of the queue"
    )
    queue_timeout_s: Annotated[int, Field(ge=0)] = Field(default=0, description="0: wait without end")
    form: Literal["general", "enterprise", "talent"] = "general"
    colour: Annotated[str, Field(pattern=r"^#[0-9a-fA-F]{6}$")] = "#1677ff"
    submit: Literal["on_hangup", "agent"] = Field(
        default="on_hangup", description="who sends the order off: the gateway at hang-up, or the agent"
    )

    @field_validator("overflow")
    @classmethod
    def _ever_more(cls, steps: list[OverflowStep]) -> list[OverflowStep]:
        for before, after in pairwise(steps):
            if after.after_s <= before.after_s or after.max_penalty <= before.max_penalty:
                raise ValueError("each step must come later and reach further than the one before it")
        return steps

    @property
    def overflow_steps(self) -> list[OverflowStep]:
        """The steps from the first second on; what is not said begins with penalties 0 and 1 alone."""
        if self.overflow and self.overflow[0].after_s > 0:
            return [OverflowStep(after_s=0, max_penalty=FIRST_PENALTY), *self.overflow]
        return self.overflow

    def model(self) -> Line:
        """The pure form that the rooms use."""
        return Line(
            id=self.id,
            name=self.name,
            numbers=tuple(self.numbers),
            queue=self.queue,
            digit=self.digit,
            service_level_s=self.service_level_s,
            service_level_target=self.service_level_target,
            connection_target=self.connection_target,
            abandon_after_s=self.abandon_after_s,
            wrap_up_s=self.wrap_up_s,
            wrap_up_max_s=max(self.wrap_up_max_s, self.wrap_up_s),
            timezone=self.timezone,
            form=self.form,
            colour=self.colour,
        )


class AgentSettings(SecretHolder):
    """An agent and their phone. `secret` is the phone's SIP password, where `phones_file` has none."""

    id: Identifier
    name: Text
    phone: Annotated[str, Field(pattern=PHONE)]
    softphone: bool = Field(default=False, description="the phone is the browser (WebRTC), no desk phone")
    pbx: Identifier | None = Field(default=None, description="default: the first")
    lines: dict[Identifier, Annotated[int, Field(ge=0, le=100)]] = Field(
        default_factory=dict, description="line id -> penalty (0 first)"
    )

    @property
    def secret_variable(self) -> str:
        return f"HOTLINE_AGENTS_{_shell(self.id)}_SECRET"

    @property
    def sip_user(self) -> str | None:
        """The SIP account of the phone; `None`: not a PJSIP phone."""
        technology, _, user = self.phone.partition("/")
        return user if technology == "PJSIP" else None

    @model_validator(mode="after")
    def _browser_speaks_pjsip(self) -> Self:
        if self.softphone and self.sip_user is None:
            raise ValueError(f'agent {self.id}: a browser phone needs phone = "PJSIP/…", not {self.phone}')
        return self


class DeskSettings(_Section):
    """What agents may do and what is done for them."""

    pause_reasons: list[Annotated[str, Field(min_length=1, max_length=20), AfterValidator(_one_line)]] = (
        Field(
            default=["小休", "培训", "会议", "用餐"], min_length=1, description="offered for a pause (置忙)"
        )
    )
    login: Literal["always", "desk"] = Field(
        default="always", description="always: in their queues by configuration; desk: agents log in and out"
    )
    missed_limit: Annotated[int, Field(ge=0, le=100)] = Field(
        default=3, description="queue calls in a row not answered, after which the agent is paused; 0: never"
    )

    repeat_calls: Annotated[int, Field(ge=0, le=1000)] = Field(
        default=3, description="from so many calls of a number on, the screen-pop warns; 0: never"
    )
    repeat_days: Annotated[int, Field(ge=1, le=366)] = Field(default=7, description="within so many days")

    @field_validator("pause_reasons")
    @classmethod
    def _free(cls, reasons: list[str]) -> list[str]:
        if taken := [reason for reason in reasons if reserved_reason(reason)]:
            raise ValueError(f"{', '.join(taken)}: the gateway's own reason; choose another word")
        if len(set(reasons)) < len(reasons):
            raise ValueError("a reason is given twice; make each one unique")
        return reasons


class PrivacySettings(_Section):
    """Which roles see what the screen-pop tells of people."""

    whole_numbers: list[RoleName] = Field(
        default=["agent", "supervisor", "admin"], description="who sees callers' whole numbers"
    )
    whole_names: list[RoleName] = Field(
        default=["agent", "supervisor", "admin"], description="who sees people's whole names"
    )


class OutboundRule(_Section):
    """Numbers that may be dialled outside. No rule, no call: the trunk is closed unless opened here."""

    patterns: list[Annotated[str, AfterValidator(_dial_pattern)]] = Field(
        min_length=1, description="Asterisk's X Z N [1-5], without . and !: each has a fixed length"
    )
    roles: list[RoleName] = Field(
        default_factory=list, description="empty: all, and from the phone's own keys too"
    )
    lines: list[Identifier] = Field(default_factory=list, description="only agents of these lines")

    def model(self) -> DialRule:
        """The pure form."""
        return DialRule(tuple(self.patterns), frozenset(self.roles), frozenset(self.lines))


class OutboundSettings(_Section):
    """Calls to numbers outside, through the trunk."""

    allow: list[OutboundRule] = Field(default_factory=list)
    trunk: Identifier = Field(default="trunk", description="PJSIP endpoint that calls go out by")
    contact: Annotated[str, Field(pattern=SIP_URI)] | None = Field(
        default=None, description="where the carrier takes calls, e.g. sip:sbc.carrier.example:5060"
    )
    context: Identifier | None = Field(
        default=None, description="the PBX's own context for outside calls (FreePBX: from-internal)"
    )


class AsrSettings(SecretHolder):
    """Speech recognition. `secret` is the HTTP endpoint's key, if it wants one."""

    engine: Literal["faster-whisper", "http", "none"] = "faster-whisper"
    model: str = Field(default="", description="a directory or a hub name; empty: the offline default")
    device: Literal["cpu", "cuda", "auto"] = "cpu"
    compute_type: str = "int8"
    threads: Annotated[int, Field(ge=0)] = Field(default=0, description="per worker; 0: cores / workers")
    workers: Annotated[int, Field(ge=0, le=64)] = Field(
        default=0, description="processes, each with the model; 0: one a core up to 4, on a GPU 1"
    )
    batch: Annotated[int, Field(ge=0, le=256)] = Field(
        default=0, description="utterances of any calls computed together; 0: 1 on the CPU, 16 elsewhere"
    )
    beam_size: Annotated[int, Field(ge=1, le=10)] = 1
    initial_prompt: str = "以下是政务服务便民热线的通话，使用简体中文和标点。"
    hotwords: str = Field(default="", description="names to expect on every line, separated by spaces")
    full_window: bool = Field(
        default=False, description="compute 30 s for every utterance, however short (slower; large models)"
    )
    url: AnyHttpUrl | None = Field(default=None, description="engine http: …/v1 of the endpoint")
    timeout_s: Annotated[float, Field(gt=0)] = Field(default=30.0, description="engine http: per request")
    partials: bool = Field(default=True, description="text while an utterance is spoken")
    live: bool = Field(default=True, description="listen while the call runs; else only afterwards")

    @property
    def secret_variable(self) -> str:
        return "HOTLINE_ASR_SECRET"

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.engine == "http" and self.url is None:
            raise ValueError('engine "http" needs url: the base of an OpenAI-compatible endpoint, up to /v1')
        return self


class WorkOrderEndpoint(SecretHolder):
    """A work-order system. `secret` signs the deliveries (Standard Webhooks)."""

    id: Identifier
    url: AnyHttpUrl
    lines: list[Identifier] = Field(default_factory=list, description="empty: all lines")
    timeout_s: Annotated[float, Field(gt=0)] = 10.0
    max_attempts: Annotated[int, Field(ge=1)] = 20
    first_retry_s: Annotated[float, Field(gt=0)] = 5.0
    max_retry_s: Annotated[float, Field(gt=0)] = 3600.0

    @property
    def secret_variable(self) -> str:
        return f"HOTLINE_WORKORDERS_{_shell(self.id)}_SECRET"


class DistrictSettings(_Section):
    """Data files that extraction matches against; the shipped example district where not given.

    The formats are told in docs/workorders.md.
    """

    places: Path | None = Field(default=None, description="towns, streets, villages, communities")
    units: Path | None = Field(default=None, description="units that handle requests")
    enterprises: Path | None = Field(default=None, description="the enterprise directory")
    contacts: Path | None = Field(default=None, description="people known by their number; VIPs, black list")
    glossary: Path | None = Field(default=None, description="policies and other words of the lines")
    taxonomy: Path | None = Field(default=None, description="request categories, three levels")
    knowledge: Path | None = Field(default=None, description="a folder of articles for agents")
    classifier: Path | None = Field(default=None, description="a folder made by scripts/train_classifier.py")
    related_days: Annotated[int, Field(ge=0)] = Field(
        default=90, description="how far back related orders go"
    )
    hot_words: bool = Field(default=False, description="tell the recogniser the names of this district")


class LlmSettings(SecretHolder):
    """A local model that also fills fields, through any OpenAI-compatible endpoint. Off where `url` is
    empty.
    """

    url: AnyHttpUrl | None = Field(default=None, description="base URL, e.g. http://127.0.0.1:8000/v1")
    model: str = "local"
    timeout_s: Annotated[float, Field(gt=0)] = 8.0
    finish_wait_s: Annotated[float, Field(ge=0)] = Field(
        default=1.0, description="how long a finished order waits for an answer that is under way"
    )
    every_s: Annotated[float, Field(gt=0)] = Field(
        default=5.0, description="at most one question a call in so long"
    )

    @property
    def secret_variable(self) -> str:
        return "HOTLINE_LLM_SECRET"


class AlarmSettings(_Section):
    """A threshold rule: supervisors are alarmed while `measure` is beyond it."""

    id: Identifier
    name: Text
    measure: Measure
    above: float | None = None
    below: float | None = None
    for_s: Annotated[float, Field(ge=0, le=86400)] = Field(default=0.0, description="and was so long")
    level: Level = Level.WARNING
    lines: list[Identifier] = Field(default_factory=list, description="empty: all lines")
    reasons: list[str] = Field(default_factory=list, description='of "paused"; empty: all reasons')
    min_offered: Annotated[int, Field(ge=0)] = Field(
        default=10, description="rates of the day: only from so many calls on"
    )

    @model_validator(mode="after")
    def _sensible(self) -> Self:
        if (self.above is None) == (self.below is None):
            raise ValueError(f"alarm {self.id}: give either above or below")
        if self.lines and self.measure not in QUEUE_MEASURES | DAY_MEASURES:
            raise ValueError(f"alarm {self.id}: {self.measure} is not of a line; leave lines out")
        if self.reasons and self.measure is not Measure.PAUSED:
            raise ValueError(f'alarm {self.id}: reasons belong to measure "paused" only')
        limit = self.above if self.above is not None else self.below
        if self.measure in DAY_MEASURES and not 0 <= (limit or 0) <= 1:
            raise ValueError(f"alarm {self.id}: {self.measure} is a share, 0 to 1")
        return self

    def model(self) -> AlarmRule:
        """The pure form."""
        return AlarmRule(
            id=self.id,
            name=self.name,
            measure=self.measure,
            above=self.above,
            below=self.below,
            for_s=self.for_s,
            level=self.level,
            lines=frozenset(self.lines),
            reasons=frozenset(self.reasons),
            min_offered=self.min_offered,
        )


class DemoSettings(_Section):
    enabled: bool = Field(default=False, description="demo PBX calls and demo accounts")
    call_every_s: Annotated[float, Field(ge=0)] = Field(default=60.0, description="0: none by itself")


class LogSettings(_Section):
    level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    format: Literal["auto", "json", "console"] = "auto"


class Settings(BaseSettings):
    """Everything. Environment: `HOTLINE_` + section + `__` + key, e.g. `HOTLINE_HTTP__PORT=9000`."""

    model_config = SettingsConfigDict(
        env_prefix="HOTLINE_", env_nested_delimiter="__", extra="forbid", frozen=True
    )

    data_dir: Path = Path("var")
    timezone: Annotated[str, AfterValidator(_zone)] = Field(
        default="Asia/Shanghai", description="whose midnight agents' days begin at; lines may have their own"
    )
    http: HttpSettings = HttpSettings()
    database: DatabaseSettings = DatabaseSettings()
    pbx: list[PbxSettings] = Field(default_factory=list)
    agi: AgiSettings = AgiSettings()
    audiosocket: AudioSocketSettings = AudioSocketSettings()
    mediasocket: MediaSocketSettings = MediaSocketSettings()
    lines: list[LineSettings] = Field(default_factory=list)
    agents: list[AgentSettings] = Field(default_factory=list)
    desk: DeskSettings = DeskSettings()
    privacy: PrivacySettings = PrivacySettings()
    outbound: OutboundSettings = OutboundSettings()
    asr: AsrSettings = AsrSettings()
    workorders: list[WorkOrderEndpoint] = Field(default_factory=list)
    district: DistrictSettings = DistrictSettings()
    llm: LlmSettings = LlmSettings()
    alarms: list[AlarmSettings] = Field(default_factory=list)
    demo: DemoSettings = DemoSettings()
    log: LogSettings = LogSettings()

    def _nobody_kept_idle(self) -> None:
        """Asterisk keeps agents for a caller of the weightier queue, even where it may not ring them yet."""
        for line in self.lines:
            limit = line.overflow_steps[0].max_penalty if line.overflow else 100
            for agent in self.agents:
                if line.priority == 0 or agent.lines.get(line.id, 0) <= limit:
                    continue
                lesser = [
                    other.id
                    for other in self.lines
                    if other.id in agent.lines and other.priority < line.priority
                ]
                if lesser:
                    raise ValueError(
                        f"lines.priority: {line.id} (priority {line.priority}) rings agent {agent.id}"
                        " only after its overflow, yet would keep them from callers of"
                        f" {', '.join(lesser)} all the while: give {line.id} no priority,"
                        f" or take {line.id} from the lines of agent {agent.id}"
                    )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        for what, names in (
            ("pbx.name", [p.name for p in self.pbx]),
            ("lines.id", [line.id for line in self.lines]),
            ("lines.queue", [line.queue for line in self.lines]),
            ("agents.id", [agent.id for agent in self.agents]),
            ("agents.phone", [agent.phone for agent in self.agents]),
            ("alarms.id", [alarm.id for alarm in self.alarms]),
            ("workorders.id", [endpoint.id for endpoint in self.workorders]),
            ("lines.digit", [line.digit for line in self.lines if line.digit]),
            ("lines.numbers", [number for line in self.lines for number in line.numbers]),
        ):
            twice = sorted({name for name in names if names.count(name) > 1})
            if twice:
                raise ValueError(f"{what}: {', '.join(twice)} is given twice; make each one unique")
        known = {line.id for line in self.lines}
        for line in self.lines:
            penalties = [agent.lines[line.id] for agent in self.agents if line.id in agent.lines]
            if line.overflow and penalties and max(penalties) > line.overflow[-1].max_penalty:
                raise ValueError(
                    f"lines.overflow: line {line.id} never rings agents with penalty {max(penalties)};"
                    f" add a step, or give its last one max_penalty = {max(penalties)}"
                )
        self._nobody_kept_idle()
        for agent in self.agents:
            if strangers := sorted(set(agent.lines) - known):
                raise ValueError(
                    f"agents.lines: agent {agent.id} names unknown line {', '.join(strangers)};"
                    f" known: {', '.join(sorted(known)) or 'none'}"
                )
        for alarm in self.alarms:
            if strangers := sorted(set(alarm.lines) - known):
                raise ValueError(f"alarms.lines: alarm {alarm.id} names unknown line {', '.join(strangers)}")
        for pbx in self.pbx:
            alone = [a.id for a in self.agents if a.softphone and (a.pbx or self.pbx[0].name) == pbx.name]
            if alone and pbx.softphone.url is None:
                raise ValueError(
                    f"pbx.softphone.url: agents {', '.join(alone)} have browser phones; say how a browser"
                    f" reaches PBX {pbx.name}, e.g. wss://pbx.example.cn:8089/ws"
                )
        for rule in self.outbound.allow:
            if strangers := sorted(set(rule.lines) - known):
                raise ValueError(f"outbound.allow: unknown line {', '.join(strangers)}")
        if self.outbound.allow and self.outbound.contact is None and self.outbound.context is None:
            raise ValueError(
                "outbound.allow: say where calls go out: outbound.contact (the carrier's SIP address),"
                " or outbound.context (a context of the PBX's own)"
            )
        for endpoint in self.workorders:
            if strangers := sorted(set(endpoint.lines) - known):
                raise ValueError(
                    f"workorders.lines: endpoint {endpoint.id} names unknown line {', '.join(strangers)}"
                )
        return self

    _source: str = PrivateAttr(default="")

    @property
    def source(self) -> str:
        """The file these were read from; empty: none."""
        return self._source

    @property
    def database_url(self) -> str:
        """SQLAlchemy URL of the database; SQLite in `data_dir` unless configured."""
        return self.database.url or f"sqlite+aiosqlite:///{self.data_dir / 'hotline.db'}"

    def line(self, line_id: str | None) -> LineSettings | None:
        """The line of that id."""
        return next((line for line in self.lines if line.id == line_id), None)
