"""The mapping of a work-order system: its preset, what the configuration changes of it, files and secrets."""

import csv
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from msgspec import structs

from gateway.settings.base import read_secret_file, shell
from gateway.settings.orders import WorkOrderEndpoint
from gateway.settings.schema import Settings
from workorders.delivery import presets
from workorders.delivery.mapping.compiled import OrderMapping
from workorders.delivery.mapping.errors import MappingFaultsError
from workorders.delivery.mapping.preview import faults
from workorders.delivery.mapping.spec import lower_headers, merged, read_spec
from workorders.delivery.sample import documents
from workorders.delivery.signing import webhook


def mapping_of(endpoint: WorkOrderEndpoint, timezone: str) -> OrderMapping:
    """The endpoint's mapping, made ready.

    Raises:
        MappingFaultsError: it is written wrongly, or its file cannot be read; each fault names its place.
    """
    spec = read_spec(_tables(endpoint))
    requests = {
        name: structs.replace(one, success_if=endpoint.success_if)
        if endpoint.success_if and not one.success_if and one.method != "GET"
        else one
        for name, one in spec.requests.items()
    }
    sign = spec.sign if endpoint.sign is None else endpoint.sign
    return OrderMapping(structs.replace(spec, requests=requests, sign=sign), timezone)


def secrets_of(endpoint: WorkOrderEndpoint, mapping: OrderMapping) -> dict[str, str]:
    """The secrets that the mapping speaks of.

    Raises:
        ValueError: one is not there; the message names the fix.
    """
    return {name: _secret(endpoint, name) for name in mapping.spec.secrets}


def signing_secret(endpoint: WorkOrderEndpoint, mapping: OrderMapping) -> str | None:
    """The secret that deliveries are signed with; `None`: they are not signed, and there is none.

    Raises:
        ValueError: there is none; the message names the fix.
    """
    if not mapping.spec.sign and endpoint.secret is None and endpoint.secret_file is None:
        return None
    return endpoint.read_secret()


def endpoint_faults(endpoint: WorkOrderEndpoint, settings: Settings) -> list[str]:
    """What is wrong with a work-order system: mapping, tried on sample orders, and secrets."""
    try:
        mapping = mapping_of(endpoint, settings.timezone)
    except MappingFaultsError as error:
        return error.faults
    found = faults(mapping, str(endpoint.url), documents(), settings.timezone)
    try:
        if (secret := signing_secret(endpoint, mapping)) is not None:
            webhook(secret)
    except ValueError as error:
        found.append(str(error))
    for name in mapping.spec.secrets:
        try:
            _secret(endpoint, name)
        except ValueError as error:
            found.append(str(error))
    return found


def _secret(endpoint: WorkOrderEndpoint, name: str) -> str:
    variable = f"HOTLINE_WORKORDERS_{shell(endpoint.id)}_{shell(name)}"
    if secret := os.environ.get(variable):
        return secret
    if (path := endpoint.secret_files.get(name)) is None:
        raise ValueError(f"no secret {name}: set secret_files.{name}, or {variable} in the environment")
    return read_secret_file(f"secret_files.{name}", path)


def _tables(endpoint: WorkOrderEndpoint) -> dict[str, Any]:
    """The mapping as tables: the preset's, with the configuration's over them."""
    own: Mapping[str, Any] = {}
    base = Path()
    if isinstance(endpoint.mapping, Path):
        own, base = _read(endpoint.mapping), endpoint.mapping.parent
    elif endpoint.mapping is not None:
        own = endpoint.mapping
    name = endpoint.preset or ("" if endpoint.mapping is not None else presets.OURS)
    try:
        preset = presets.read(name) if name else {}
    except ValueError as error:
        raise MappingFaultsError([f"preset = {error}"]) from None
    data = merged(lower_headers(preset), lower_headers(own))
    tables = data.get("tables")
    if isinstance(tables, Mapping):
        data["tables"] = {key: _with_file(f"tables.{key}", one, base) for key, one in tables.items()}
    return data


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise MappingFaultsError([f"mapping {path}: {error}"]) from None
    except tomllib.TOMLDecodeError as error:
        raise MappingFaultsError([f"mapping {path}: not valid TOML: {error}"]) from None


def _with_file(place: str, table: Any, base: Path) -> Any:
    """The table with what its file says: two columns, our value and their code."""
    if not isinstance(table, Mapping) or not isinstance(named := table.get("file"), str):
        return table
    path = base / named
    try:
        rows = list(csv.reader(path.read_text(encoding="utf-8-sig").splitlines(), delimiter="\t"))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise MappingFaultsError([f"{place}.file {path}: {error}"]) from None
    values = {}
    for number, row in enumerate(rows, 1):
        if not row or row[0].startswith("#"):
            continue
        if len(row) != 2 or not row[0].strip():
            raise MappingFaultsError(
                [f"{place}.file {path}:{number}: a line is our value, a tab, their code"]
            )
        values[row[0].strip()] = row[1].strip()
    rest = {key: value for key, value in table.items() if key != "file"}
    return rest | {"values": values | dict(rest.get("values") or {})}
