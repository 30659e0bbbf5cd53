"""The root of the configuration, documented in `gateway/settings/hotline.example.toml`."""

from pathlib import Path
from typing import Annotated, Self

from pydantic import AfterValidator, Field, PrivateAttr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from domain.outcomes import OUTCOMES, OutcomeKind
from gateway.settings.agents import AgentSettings, AlarmSettings, DeskSettings, LineSettings, PrivacySettings
from gateway.settings.base import zone
from gateway.settings.orders import (
    AsrSettings,
    LlmSettings,
    OutcomeSettings,
    ReferenceSettings,
    WorkOrderEndpoint,
)
from gateway.settings.reports import ReportSettings
from gateway.settings.serving import (
    AgiSettings,
    AudioSocketSettings,
    DatabaseSettings,
    DemoSettings,
    HttpSettings,
    JournalSettings,
    LinkSettings,
    LogSettings,
    MediaSocketSettings,
)
from gateway.settings.telephony import OutboundSettings, PbxSettings


class Settings(BaseSettings):
    """All settings. Environment: `HOTLINE_` + section + `__` + key, such as `HOTLINE_HTTP__PORT=9000`."""

    model_config = SettingsConfigDict(
        env_prefix="HOTLINE_", env_nested_delimiter="__", extra="forbid", frozen=True
    )

    data_dir: Path = Path("var")
    timezone: Annotated[str, AfterValidator(zone)] = Field(
        default="Asia/Shanghai", description="agents' days start at midnight here; lines may have their own"
    )
    http: HttpSettings = HttpSettings()
    database: DatabaseSettings = DatabaseSettings()
    journal: JournalSettings = JournalSettings()
    pbx: list[PbxSettings] = Field(default_factory=list)
    links: LinkSettings = LinkSettings()
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
    outcomes: list[OutcomeSettings] = Field(default_factory=list)
    reference: ReferenceSettings = ReferenceSettings()
    llm: LlmSettings = LlmSettings()
    alarms: list[AlarmSettings] = Field(default_factory=list)
    reports: ReportSettings = ReportSettings()
    demo: DemoSettings = DemoSettings()
    log: LogSettings = LogSettings()

    @property
    def outcome_kinds(self) -> tuple[OutcomeKind, ...]:
        """All outcomes that agents can choose, in order of the keys."""
        return (*OUTCOMES, *(one.model() for one in self.outcomes))

    def _nobody_kept_idle(self) -> None:
        """Asterisk keeps agents for the weightier queue, even if its callers may not ring them yet."""
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
                        f" {', '.join(lesser)} all that time: give {line.id} no priority,"
                        f" or take {line.id} from the lines of agent {agent.id}"
                    )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        for what, names in (
            ("pbx.name", [p.name for p in self.pbx]),
            ("lines.id", [line.id for line in self.lines]),
            ("lines.queue", [line.queue for line in self.lines]),
            ("agents.id", [agent.id for agent in self.agents]),
            ("agents.phone", [phone for agent in self.agents for phone in agent.phones.values()]),
            ("alarms.id", [alarm.id for alarm in self.alarms]),
            ("workorders.id", [endpoint.id for endpoint in self.workorders]),
            ("reports.scheduled.id", [one.id for one in self.reports.scheduled]),
            ("outcomes.id", [kind.id for kind in self.outcome_kinds]),
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
        for report in self.reports.scheduled:
            if report.line is not None and report.line not in known:
                raise ValueError(
                    f"reports.scheduled.line: report {report.id} names unknown line {report.line}"
                )
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
        """The file these settings were read from; empty if none."""
        return self._source

    @property
    def database_url(self) -> str:
        """SQLAlchemy URL of the database; SQLite in `data_dir` unless configured."""
        return self.database.url or f"sqlite+aiosqlite:///{self.data_dir / 'hotline.db'}"

    def line(self, line_id: str | None) -> LineSettings | None:
        """Return the line with that id."""
        return next((line for line in self.lines if line.id == line_id), None)
