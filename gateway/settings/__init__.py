"""Configuration: one documented TOML file, environment overrides, secrets from files or environment."""

from gateway.settings.agents import (
    FIRST_PENALTY,
    AgentSettings,
    AlarmSettings,
    DeskSettings,
    LineSettings,
    OverflowStep,
    PrivacySettings,
)
from gateway.settings.base import SecretHolder
from gateway.settings.load import SettingsError, load_settings, masked
from gateway.settings.orders import (
    AsrSettings,
    InboundSettings,
    LlmSettings,
    ReferenceSettings,
    WorkOrderEndpoint,
)
from gateway.settings.reports import ReportSettings, ScheduledReport
from gateway.settings.schema import Settings
from gateway.settings.serving import (
    AgiSettings,
    AudioSocketSettings,
    DatabaseSettings,
    DemoSettings,
    HttpSettings,
    JournalSettings,
    LogSettings,
    MediaSocketSettings,
)
from gateway.settings.telephony import OutboundRule, OutboundSettings, PbxSettings, SoftphoneSettings

__all__ = [
    "FIRST_PENALTY",
    "AgentSettings",
    "AgiSettings",
    "AlarmSettings",
    "AsrSettings",
    "AudioSocketSettings",
    "DatabaseSettings",
    "DemoSettings",
    "DeskSettings",
    "HttpSettings",
    "InboundSettings",
    "JournalSettings",
    "LineSettings",
    "LlmSettings",
    "LogSettings",
    "MediaSocketSettings",
    "OutboundRule",
    "OutboundSettings",
    "OverflowStep",
    "PbxSettings",
    "PrivacySettings",
    "ReferenceSettings",
    "ReportSettings",
    "ScheduledReport",
    "SecretHolder",
    "Settings",
    "SettingsError",
    "SoftphoneSettings",
    "WorkOrderEndpoint",
    "load_settings",
    "masked",
]
