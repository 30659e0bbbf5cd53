"""Items as frames carry them: masked for their audience, encoded at most once for all who see them alike."""

from collections.abc import Iterable
from typing import Any

import msgspec
from msgspec import structs

from domain.queues import SHOWN_TO_AGENTS, Queue
from domain.visibility.policy import STRANGERS
from domain.visibility.redact import redact
from gateway.stream.audience import Audience
from gateway.stream.items import Entry, Item, Key

PERSONAL = frozenset({"calls", "queues", "transcripts", "orders", "alerts"})
"""Topics that contain callers' personal data."""

_encoder = msgspec.json.Encoder()


def encoded(key: Key, item: Item, audience: Audience) -> bytes:
    """Return `{"topic", "key", "value"}` as `audience` may see it."""
    visibility = audience.visibility
    masks = key[0] in PERSONAL and not (visibility.whole and (audience.sees_all or key[0] != "queues"))
    way = (visibility, audience.sees_all) if masks else None
    if item.encoded is None:
        item.encoded = {}
    found = item.encoded.get(way)
    if found is None:
        value = _seen(item.value, audience) if masks else item.value
        found = b'{"topic":"%b","key":%b,"value":%b}' % (
            key[0].encode(),
            _encoder.encode(key[1]),
            _encoder.encode(value),
        )
        item.encoded[way] = found
    return found


def _seen(value: Any, audience: Audience) -> Any:
    """Redact for `audience`. Waiting callers are strangers to agents, who only see the head of the queue."""
    if isinstance(value, Queue) and not audience.sees_all:
        return redact(structs.replace(value, waiting=value.waiting[:SHOWN_TO_AGENTS]), STRANGERS)
    return redact(value, audience.visibility)


def visible(key: Key, item: Item, audience: Audience) -> bool:
    """Whether `audience` may see the item."""
    if key[0] not in audience.topics:
        return False
    return item.public or audience.sees_all or (audience.agent is not None and item.agent == audience.agent)


def select(tail: Iterable[Entry], audience: Audience) -> tuple[list[bytes], list[Key]]:
    """Return what of the changes in `tail` concerns `audience`: (encoded items, removals)."""
    changes: list[bytes] = []
    removals: list[Key] = []
    for key, item in tail:
        if key[0] not in audience.topics:
            continue
        if visible(key, item, audience):
            if item.value is None:
                removals.append(key)
            else:
                changes.append(encoded(key, item, audience))
        elif audience.agent in item.former:
            removals.append(key)
    return changes, removals


def joined(entries: Iterable[Entry], audience: Audience) -> bytes:
    """Return what of `entries` is in the audience's topics, encoded, with commas in between."""
    return b",".join([encoded(key, item, audience) for key, item in entries if key[0] in audience.topics])


def snapshot_frame(seq: int, *items: bytes) -> bytes:
    """Build a `snapshot` frame of joined items."""
    return b'{"type":"snapshot","seq":%d,"items":[%b]}' % (seq, b",".join(filter(None, items)))


def delta_frame(seq: int, changes: list[bytes], removals: list[Key]) -> bytes | None:
    """Build a `delta` frame; `None` if it would be empty."""
    if not changes and not removals:
        return None
    gone = _encoder.encode([{"topic": topic, "key": key} for topic, key in removals])
    return b'{"type":"delta","seq":%d,"changes":[%b],"removals":%b}' % (seq, b",".join(changes), gone)
