"""Write docs/asyncapi.json and web/src/stream/frames.ts from the frames' types (`make stream-types`)."""

import json
from pathlib import Path
from typing import Any

from gateway.stream.asyncapi import document

ROOT = Path(__file__).resolve().parents[1]
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


def files() -> dict[Path, str]:
    """What is written where."""
    described = document()
    return {
        ROOT / "docs" / "asyncapi.json": json.dumps(described, ensure_ascii=False, indent=1) + "\n",
        ROOT / "web" / "src" / "stream" / "frames.ts": typescript(described["components"]["schemas"]),
    }


if __name__ == "__main__":
    for path, text in files().items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
