"""The stream as an AsyncAPI 3 document, generated from the frame types so that the two always agree."""

from typing import Any, get_args

import msgspec

from domain import frames

VERSION = "1.0.0"
CLOSE_CODES = {
    4400: "a frame that is not understood",
    4401: "signed out, or the session is over",
    4408: "the client takes nothing any more; come back and resume",
    4429: "too many frames",
}


def document() -> dict[str, Any]:
    """Return the document, ready for JSON."""
    server, client = get_args(frames.ServerFrame), get_args(frames.ClientFrame)
    _, schemas = msgspec.json.schema_components(
        [*server, *client], ref_template="#/components/schemas/{name}"
    )
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "hotline-gateway: the stream",
            "version": VERSION,
            "description": "Snapshot, sequenced deltas and resume over a websocket: docs/stream.md.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "servers": {
            "gateway": {
                "host": "localhost:8601",
                "protocol": "ws",
                "security": [{"$ref": "#/components/securitySchemes/session"}],
            }
        },
        "channels": {
            "stream": {
                "address": "/",
                "title": "The live view",
                "messages": {
                    name(one): {"$ref": f"#/components/messages/{name(one)}"} for one in (*server, *client)
                },
                "bindings": {
                    "ws": {
                        "query": {
                            "type": "object",
                            "properties": {
                                "epoch": {"type": "string", "description": "resume: of the last `hello`"},
                                "since": {"type": "integer", "description": "resume: the last `seq`"},
                                "topics": {"type": "string", "description": "only these, by commas"},
                                "screen": {"type": "string", "description": "1: masked as for a big screen"},
                            },
                        }
                    }
                },
            }
        },
        "operations": {
            "receive": _operation("send", "What the gateway sends", server),
            "send": _operation("receive", "What a client may send", client),
        },
        "components": {
            "messages": {
                name(one): {
                    "name": name(one),
                    "summary": (one.__doc__ or "").strip(),
                    "payload": {"$ref": f"#/components/schemas/{one.__name__}"},
                }
                for one in (*server, *client)
            },
            "schemas": _plain(schemas),
            "securitySchemes": {
                "session": {
                    "type": "httpApiKey",
                    "name": "hotline_session",
                    "in": "cookie",
                    "description": "the session cookie of POST /api/v1/session",
                }
            },
        },
        "x-close-codes": {str(code): why for code, why in CLOSE_CODES.items()},
    }


def _plain(schema: Any) -> Any:
    """Drop OpenAPI's `discriminator` object, which AsyncAPI does not have; tags become constants."""
    if isinstance(schema, dict):
        return {key: _plain(value) for key, value in schema.items() if key != "discriminator"}
    return [_plain(one) for one in schema] if isinstance(schema, list) else schema


def name(frame: type[Any]) -> str:
    """Return a frame's name on the wire."""
    return str(frame.__struct_config__.tag)


def _operation(action: str, summary: str, sent: tuple[type[Any], ...]) -> dict[str, Any]:
    return {
        "action": action,
        "summary": summary,
        "channel": {"$ref": "#/channels/stream"},
        "messages": [{"$ref": f"#/channels/stream/messages/{name(one)}"} for one in sent],
    }
