"""Configuration: one documented TOML file, environment overrides, secrets from files or environment."""

from gateway.settings.load import SettingsError, load_settings, masked
from gateway.settings.schema import (
    AgentSettings,
    AsrSettings,
    LineSettings,
    PbxSettings,
    Settings,
    SoftphoneSettings,
    WorkOrderEndpoint,
)

__all__ = [
    "AgentSettings",
    "AsrSettings",
    "LineSettings",
    "PbxSettings",
    "Settings",
    "SettingsError",
    "SoftphoneSettings",
    "WorkOrderEndpoint",
    "load_settings",
    "masked",
]
