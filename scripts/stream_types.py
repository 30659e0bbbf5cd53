"""What the browser app knows of the gateway's types and words, written from them (`make stream-types`).

docs/asyncapi.json and web/src/stream/frames.ts come from the frames' types, docs/openapi.json from a gateway
that is started for it, the app's English for refusals, findings and failed deliveries
(web/src/i18n/en/{refused,doctor,failed}.ts) from the gateway's sentences.
Their Chinese is the app's own; its types want one for each code.
"""

import asyncio
import json
import re
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from fastapi import FastAPI

from domain.delivery_failures import FAILURES
from domain.refusals import REFUSALS
from gateway.app import run_gateway
from gateway.doctor.findings import FINDINGS
from gateway.settings import AsrSettings, Settings
from gateway.stream.asyncapi import document

ROOT = Path(__file__).resolve().parents[1]
ENGLISH = ROOT / "web" / "src" / "i18n" / "en"
HEAD = (
    "// Written by scripts/stream_types.py from the frames' types: change those, then `make stream-types`.\n"
)


def typescript(schemas: dict[str, Any]) -> str:
    """The schemas as TypeScript types."""
    parts = [HEAD]
    for name, schema in schemas.items():
        if "properties" not in schema:
            parts.append(f"\nexport type {name} = {of(schema)}\n")
            continue
        parts.append(f"\nexport interface {name} {{\n")
        for key, value in schema["properties"].items():
            optional = "" if key in schema.get("required", ()) else "?"
            parts.append(f"  readonly {key}{optional}: {of(value)}\n")
        parts.append("}\n")
    frames = {"ServerFrame": "receive", "ClientFrame": "send"}
    operations = document()["operations"]
    messages = document()["components"]["messages"]
    for name, operation in frames.items():
        names = [one["$ref"].rsplit("/", 1)[1] for one in operations[operation]["messages"]]
        union = " | ".join(messages[one]["payload"]["$ref"].rsplit("/", 1)[1] for one in names)
        parts.append(f"\nexport type {name} = {union}\n")
    return "".join(parts)


def of(schema: dict[str, Any]) -> str:
    """One schema as a type."""
    if "$ref" in schema:
        return str(schema["$ref"]).rsplit("/", 1)[1]
    if "enum" in schema:
        return " | ".join(json.dumps(one, ensure_ascii=False) for one in schema["enum"])
    if "anyOf" in schema:
        return " | ".join(of(one) for one in schema["anyOf"])
    match schema.get("type"):
        case "string":
            return "string"
        case "integer" | "number":
            return "number"
        case "boolean":
            return "boolean"
        case "null":
            return "null"
        case "array":
            item = of(schema["items"]) if "items" in schema else "unknown"
            return f"readonly ({item})[]" if " " in item else f"readonly {item}[]"
        case "object":
            more = schema.get("additionalProperties")
            return f"Readonly<Record<string, {of(more) if isinstance(more, dict) else 'unknown'}>>"
    return "unknown"


def messages(sentences: Mapping[str, Any], home: str) -> str:
    """Sentences as messages of vue-i18n, whose own signs are written as texts."""

    def written(value: Any) -> Any:
        if isinstance(value, str):
            return re.sub(r"[@|$]", lambda sign: f"{{'{sign[0]}'}}", value)
        return {code: written(one) for code, one in value.items()}

    text = json.dumps(written(sentences), ensure_ascii=False, indent=2)
    head = f"// Written by scripts/stream_types.py from {home}: change that, then `make stream-types`.\n"
    return f"{head}export default {text}\n"


async def http_api() -> dict[str, Any]:
    """The HTTP API's document, of a gateway without PBXs in a directory of its own."""
    usual = Settings(asr=AsrSettings(engine="none"))
    http = usual.http.model_copy(update={"port": 0, "stream_port": 0})
    agi = usual.agi.model_copy(update={"port": 0})
    with TemporaryDirectory() as directory:
        changes = {"data_dir": Path(directory), "http": http, "agi": agi}
        async with run_gateway(usual.model_copy(update=changes)) as runtime:
            told: dict[str, Any] = runtime.get(FastAPI).openapi()
    return told


def files() -> dict[Path, str]:
    """What is written where."""
    described = document()
    api = asyncio.run(http_api())
    return {
        ROOT / "docs" / "asyncapi.json": json.dumps(described, ensure_ascii=False, indent=1) + "\n",
        ROOT / "docs" / "openapi.json": json.dumps(api, ensure_ascii=False, indent=1) + "\n",
        ROOT / "web" / "src" / "stream" / "frames.ts": typescript(described["components"]["schemas"]),
        ENGLISH / "refused.ts": messages(REFUSALS, "domain/refusals.py"),
        ENGLISH / "failed.ts": messages(FAILURES, "domain/delivery_failures.py"),
        ENGLISH / "doctor.ts": messages(FINDINGS, "gateway/doctor/findings.py"),
    }


if __name__ == "__main__":
    for path, text in files().items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
