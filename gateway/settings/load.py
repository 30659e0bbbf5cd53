"""Load the configuration, and report what is wrong with it in words that lead to the fix."""

import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import SecretStr, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource
from sqlalchemy.engine import make_url

from domain.text import is_line
from gateway.settings.base import SecretHolder
from gateway.settings.schema import Settings
from gateway.settings.telephony import PbxSettings
from workorders.delivery.mapping.spec import CONFIDENTIAL

MAX_TEXT = 10_000
EXAMPLE = Path(__file__).with_name("hotline.example.toml")
DEFAULT_FILE = Path("hotline.toml")
Holder = TypeVar("Holder", bound=SecretHolder)
SECRET_KEYS = frozenset({"secret", "password", "turn_secret"})
URL_WITH_PASSWORD = re.compile(r"[a-z0-9+]+://[^/@\s]*:[^/@\s]+@")


class SettingsError(Exception):
    """The configuration is wrong; `problems` holds one line per fault: key, value, fix."""

    def __init__(self, source: str, problems: list[str]) -> None:
        self.source = source
        self.problems = problems
        super().__init__(f"{source}:\n" + "\n".join(f"  - {problem}" for problem in problems))


def load_settings(path: Path | None = None, **overrides: Any) -> Settings:
    """Load `path`, or `$HOTLINE_CONFIG`, or ./hotline.toml if it exists; otherwise use the defaults.

    Environment variables override the file; `overrides` (whole sections) override both.

    Raises:
        SettingsError: the file is missing, is not TOML, or has a wrong key or value.
    """
    if path is None and (named := os.environ.get("HOTLINE_CONFIG")):
        path = Path(named)
    if path is None and DEFAULT_FILE.is_file():
        path = DEFAULT_FILE
    data: dict[str, Any] = {}
    if path is not None:
        data = _read_toml(path)
    source = str(path) if path else "configuration"
    settings = _build(source, data, overrides)
    settings._source = str(path.absolute()) if path else ""
    return settings


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise SettingsError(
            str(path), ["no such file; copy gateway/settings/hotline.example.toml there"]
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(str(path), [f"cannot be read as UTF-8 text: {error}"]) from error
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(str(path), [f"not valid TOML: {error}"]) from error
    _refuse_unreadable(str(path), data)
    if written := sorted(_inline_secrets(data)):
        raise SettingsError(
            str(path),
            [
                f"{key}: secrets must not be in this file; put it in a file of mode 0600 and name that"
                " as secret_file, or set it in the environment"
                for key in written
            ],
        )
    anchored: dict[str, Any] = _anchored(data, path.parent)
    return anchored


def _unreadable(data: Any, key: str = "") -> list[str]:
    """The keys whose text cannot be passed on: to a database, a PBX, a browser."""
    if isinstance(data, str):
        return [] if is_line(data.replace("\n", " ").replace("\t", " "), MAX_TEXT) else [key]
    if isinstance(data, Mapping):
        pairs = [(str(name), value) for name, value in data.items()]
    elif isinstance(data, list):
        pairs = [(str(index), value) for index, value in enumerate(data)]
    else:
        return []
    prefix = f"{key}." if key else ""
    names = [f"{prefix}{name!a} (a name)" for name, _ in pairs if not is_line(name)]
    return names + [found for name, value in pairs for found in _unreadable(value, f"{prefix}{name}")]


def _refuse_unreadable(source: str, data: Any) -> None:
    if found := _unreadable(data):
        fix = f"has a control character, or more than {MAX_TEXT} characters; retype it"
        raise SettingsError(source, [f"{key}: {fix}" for key in found])


def _inline_secrets(data: Any, prefix: str = "") -> list[str]:
    found: list[str] = []
    if isinstance(data, Mapping):
        for key, value in data.items():
            name = f"{prefix}{key}"
            if key == "secret_files":
                continue  # paths
            header = ".headers." in name and CONFIDENTIAL.search(str(key))
            secret = isinstance(value, str) and (
                key in SECRET_KEYS or header or URL_WITH_PASSWORD.match(value)
            )
            # A template only names it.
            if secret and "{{" not in value:
                found.append(name)
            found += _inline_secrets(value, f"{name}.")
    elif isinstance(data, list):
        for index, value in enumerate(data):
            found += _inline_secrets(value, f"{prefix}{index}.")
    return found


RENAMED_KEYS = {"district": "reference"}
RENAMED_MEASURES = {"unsent": "unsubmitted"}
"""Measures renamed since version 0.1: the error names the new one."""

PATH_KEYS = frozenset(
    {"data_dir", "secret_file", "phones_file", "turn_secret_file", "recordings_dir", "places", "units"}
    | {"queue_log", "cdr", "cel", "folder", "mapping"}
    | {"enterprises", "contacts", "glossary", "taxonomy", "knowledge", "classifier"}
)


def _anchored(data: Any, base: Path) -> Any:
    """Resolve relative paths against the directory of the file."""
    if isinstance(data, Mapping):
        return {key: _anchored_value(key, value, base) for key, value in data.items()}
    if isinstance(data, list):
        return [_anchored(value, base) for value in data]
    return data


def _anchored_value(key: str, value: Any, base: Path) -> Any:
    if key in PATH_KEYS and isinstance(value, str):
        return str(base / value)
    if key == "secret_files" and isinstance(value, Mapping):
        return {name: str(base / one) if isinstance(one, str) else one for name, one in value.items()}
    if key == "mapping" and isinstance(value, Mapping):
        return _anchored_mapping(value, base)
    return _anchored(value, base)


def _anchored_mapping(mapping: Mapping[str, Any], base: Path) -> dict[str, Any]:
    """A mapping's tables are others' words, but for the files of its tables."""
    made = dict(mapping)
    if isinstance(tables := made.get("tables"), Mapping):
        made["tables"] = {
            name: {**one, "file": str(base / one["file"])}
            if isinstance(one, Mapping) and isinstance(one.get("file"), str)
            else one
            for name, one in tables.items()
        }
    return made


class _FileFirst(Settings):
    """Settings with the environment above the file: pydantic-settings treats the file as init values."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (env_settings, init_settings)


def _build(source: str, data: dict[str, Any], overrides: dict[str, Any]) -> Settings:
    _refuse_unreadable(
        "environment", {name: value for name, value in os.environ.items() if name.startswith("HOTLINE_")}
    )
    try:
        settings = _with_secrets(_FileFirst(**data))
        return settings.model_copy(update=overrides) if overrides else settings
    except ValidationError as error:
        raise SettingsError(source, [_say(e) for e in error.errors(include_url=False)]) from None


def _with_secrets(settings: Settings) -> Settings:
    """Read the secret of each PBX and endpoint from its own variable, if set."""

    def filled(holder: Holder) -> Holder:
        secret = os.environ.get(holder.secret_variable)
        return holder.model_copy(update={"secret": SecretStr(secret)}) if secret else holder

    def turned(pbx: PbxSettings) -> PbxSettings:
        secret = os.environ.get(pbx.turn_variable)
        if not secret:
            return pbx
        softphone = pbx.softphone.model_copy(update={"turn_secret": SecretStr(secret)})
        return pbx.model_copy(update={"softphone": softphone})

    return settings.model_copy(
        update={
            "pbx": [turned(filled(pbx)) for pbx in settings.pbx],
            "asr": filled(settings.asr),
            "llm": filled(settings.llm),
            "links": filled(settings.links),
            "workorders": [filled(endpoint) for endpoint in settings.workorders],
            "reports": settings.reports.model_copy(
                update={"scheduled": [filled(report) for report in settings.reports.scheduled]}
            ),
            "agents": [filled(agent) for agent in settings.agents],
        }
    )


def _say(error: Any) -> str:
    location = [str(part) for part in error["loc"]]
    key = ".".join(location) or "file"
    value = error.get("input")
    text: str = error["msg"].removeprefix("Value error, ")
    if error["type"] == "extra_forbidden" and (now := RENAMED_KEYS.get(key)):
        return f"{key}: called {now} since 0.2; rename it"
    if error["type"] == "extra_forbidden":
        return f"{key}: unknown key; remove it or fix its spelling"
    if error["type"] == "missing":
        return f"{key}: missing; add it"
    if not location:
        return text
    if location[-1] == "measure" and (now := RENAMED_MEASURES.get(str(value))):
        return f"{key} = {value!r}: called {now!r} since 0.2; rename it"
    shown = "" if location[-1] in SECRET_KEYS or isinstance(value, dict | list) else f" = {value!r}"
    return f"{key}{shown}: {text}"


def masked(settings: Settings) -> dict[str, Any]:
    """Return the configuration as plain data with all secrets masked, including passwords in URLs."""
    data: dict[str, Any] = settings.model_dump(mode="python")

    def mask(value: Any, key: str = "") -> Any:
        if key == "mapping" and isinstance(value, dict):
            return value  # templates: they name secrets and hold none
        if isinstance(value, dict):
            return {k: mask(v, k) for k, v in value.items()}
        if isinstance(value, list):
            return [mask(v) for v in value]
        if isinstance(value, SecretStr):
            return "********"
        if isinstance(value, Path):
            return str(value)
        if key == "url" and value is not None:
            return make_url(str(value)).render_as_string(hide_password=True)
        return value

    return {k: mask(v, k) for k, v in data.items()}
