"""What a mapping would send, without sending it; and whether it works at all. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct, structs

from workorders.delivery.mapping.compiled import OrderMapping, Sending, base_scope
from workorders.delivery.mapping.errors import MappingError
from workorders.delivery.mapping.handover import Job, hand_over
from workorders.delivery.mapping.replies import Reply
from workorders.delivery.mapping.sandbox import Unknown
from workorders.delivery.mapping.spec import TableSpec
from workorders.delivery.retry import Outcome

MASK = "********"
SAMPLE_NUMBER = "GD-1"
SAMPLE_SINCE = "2026-03-02T04:00:00+00:00"
MOST = 50


class Preview(Struct, frozen=True):
    """What would be sent; where that fails, `failure` says why."""

    sendings: list[Sending]
    outcome: Outcome


class _Unknown(Reply):
    """A reply that nobody gave: as if the system had done what was asked."""

    def __init__(self, sending: Sending, status: int) -> None:
        super().__init__(status, _Headers(sending.name), b"")
        self._name, self._looks = sending.name, sending.looks

    @property
    def document(self) -> Any:
        return Unknown(f"<reply of {self._name}>")

    def says(self, path: Any) -> bool:
        return True

    def found(self, paths: Sequence[Any]) -> str | None:
        return None if self._looks else f"<id of {self._name}>"


class _Headers(dict[str, str]):
    def __init__(self, name: str) -> None:
        self._name = name

    def __missing__(self, key: str) -> str:
        return f"<{key} of {self._name}>"


def preview(mapping: OrderMapping, url: str, job: Job) -> Preview:
    """What would be sent of the order, as if every request succeeded; secrets are masked."""
    requests = hand_over(mapping, url, dict.fromkeys(mapping.spec.secrets, MASK), job)
    sendings: list[Sending] = []
    try:
        sending = next(requests)
        while len(sendings) < MOST:
            sendings.append(sending)
            expected = next((one.spec for one in mapping.requests if one.name == sending.name), None)
            status = expected.success[0] if expected and expected.success and not sending.looks else 200
            sending = requests.send(_Unknown(sending, status))
    except StopIteration as over:
        return Preview(sendings, over.value)
    raise RuntimeError("a mapping that never ends")


def faults(mapping: OrderMapping, url: str, documents: Mapping[str, bytes], timezone: str) -> list[str]:
    """Try it on these orders, as new ones and as revisions; what fails, once each, with the order's name."""
    # Which of their values a table knows is not to be found out with an example.
    tables = {name: _lenient(one) for name, one in mapping.spec.tables.items()}
    tried = OrderMapping(structs.replace(mapping.spec, tables=tables), timezone)
    found: dict[str, str] = {}
    for name, document in documents.items():
        for number in (None, SAMPLE_NUMBER):
            job = Job(document, key=_key(document), number=number, unsure=True)
            why = preview(tried, url, job).outcome.failure
            if why is not None:
                found.setdefault(why.text, f"{why.text} (tried on {name})")
    if mapping.poll is not None:
        secrets = dict.fromkeys(mapping.spec.secrets, MASK)
        scope = {"vars": mapping.spec.vars, "secrets": secrets, "since": SAMPLE_SINCE, "page": 1}
        try:
            mapping.poll.sending(base_scope(url) | scope)
        except MappingError as error:
            found["poll"] = error.message.text
    return list(found.values())


def _lenient(table: TableSpec) -> TableSpec:
    if table.default is not msgspec.UNSET:
        return table
    return structs.replace(table, default=next(iter(table.values.values()), ""))


def _key(document: bytes) -> str:
    order = msgspec.json.decode(document)
    return f"{order['id']}.{order['revision']}"
