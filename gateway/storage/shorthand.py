"""What a call's facts say twice, left out of the later one, and put back. Pure, and exact.

- the id of an utterance, which its call, side and start tell;
- of a piece of evidence the quote and its time, which the utterance it comes from tells;
- when an order was updated: at the time of its fact.

A fact that could not be put back as it was is kept whole, in a list.
"""

import re
from collections.abc import Callable
from typing import Any

import msgspec

Json = Any

_TELL_ID = ("call_id", "side", "start")
_EVIDENCE = ("utterance_id", "start", "end", "quote", "audio_start", "audio_end")
_encode = msgspec.json.encode
_SHORT_EVIDENCE = re.compile(r"(\d+) (\d+) (\d+)")


class Shorthand:
    """Of the facts of one document, in order. One object either writes or reads.

    How things are derived belongs to the form of packs: it is never changed for packs that are written.
    """

    def __init__(self) -> None:
        self._said: list[dict[str, Json]] = []
        self._number: dict[str, int] = {}
        self._short_fields: dict[bytes, dict[str, Json]] = {}
        self._long_fields: dict[int, tuple[Json, dict[str, Json]]] = {}

    def short(self, fact: Json) -> Json:
        """What is written of the next fact."""
        if type(fact) is not dict:
            return fact if type(fact) is str else [fact]
        try:
            short: Json = self._short(fact)
        except (TypeError, ValueError, LookupError, AttributeError, ArithmeticError):
            short = [fact]
        self._learn(fact)
        return short

    def long(self, short: Json) -> Json:
        """The next fact, of what was written of it."""
        if type(short) is list:
            (fact,) = short
        else:
            fact = self._long(short) if type(short) is dict else short
        self._learn(fact)
        return fact

    def _short(self, fact: dict[str, Json]) -> dict[str, Json]:
        said, order = fact.get("utterance"), fact.get("order")
        if type(said) is dict and (identity := _id_of(said)) is not None:
            if "id" not in said:
                raise ValueError("it would be put in")
            if said["id"] == identity:
                said = {name: value for name, value in said.items() if name != "id"}
                fact = {**fact, "utterance": said}
        if type(order) is dict:
            order = _changed(order, self._short_field)
            if order["updated_at"] is True:
                raise ValueError("it would be taken for the fact's time")
            if _encode(order["updated_at"]) == _encode(fact["at"]):
                order["updated_at"] = True
            fact = {**fact, "order": order}
        return fact

    def _long(self, fact: dict[str, Json]) -> dict[str, Json]:
        said, order = fact.get("utterance"), fact.get("order")
        if type(said) is dict and "id" not in said and (identity := _id_of(said)) is not None:
            fact = {**fact, "utterance": {"id": identity, **said}}
        if type(order) is dict:
            order = _changed(order, self._long_field)
            fact = {**fact, "order": order}
            if order.get("updated_at") is True:
                order["updated_at"] = fact["at"]
        return fact

    def _learn(self, fact: Json) -> None:
        """Remember what later facts may refer to."""
        if type(fact) is not dict:
            return
        said = fact.get("utterance")
        if type(said) is dict and type(said.get("id")) is str and said["id"] not in self._number:
            self._number[said["id"]] = len(self._said)
            self._said.append(said)

    def _short_field(self, whole: dict[str, Json]) -> dict[str, Json]:
        # As it is written: what is equal may not be the same (1, 1.0 and true; 0.0 and -0.0).
        key = _encode(whole)
        if (short := self._short_fields.get(key)) is None:
            evidence = [self._short_evidence(one) for one in whole["evidence"]]
            short = self._short_fields[key] = {**whole, "evidence": evidence}
        return short

    def _short_evidence(self, whole: Json) -> Json:
        if type(whole) is str:
            raise ValueError("it would be taken for short evidence")
        if type(whole) is not dict or tuple(whole) != _EVIDENCE or whole["utterance_id"] not in self._number:
            return whole
        short = f"{self._number[whole['utterance_id']]} {whole['start']} {whole['end']}"
        return short if _encode(self._told(short)) == _encode(whole) else whole

    def _long_field(self, short: dict[str, Json]) -> dict[str, Json]:
        # What is unchanged since the fact before is the same object.
        known = self._long_fields.get(id(short))
        if known is None:
            evidence = [self._told(one) if type(one) is str else one for one in short["evidence"]]
            known = self._long_fields[id(short)] = short, {**short, "evidence": evidence}
        return known[1]

    def _told(self, short: str) -> dict[str, Json]:
        """The evidence; its time as if speech were evenly paced in the utterance."""
        found = _SHORT_EVIDENCE.fullmatch(short)
        if found is None:
            raise ValueError("not evidence of a call")
        number, start, end = map(int, found.groups())
        said = self._said[number]
        rate = (said["end"] - said["start"]) / max(1, len(said["text"]))
        times = (round(said["start"] + place * rate, 2) for place in (start, end))
        return dict(zip(_EVIDENCE, (said["id"], start, end, said["text"][start:end], *times), strict=True))


def _changed(order: dict[str, Json], change: Callable[[Json], Json]) -> dict[str, Json]:
    """The order with each value of each field changed."""
    return {
        **order,
        "fields": {name: change(value) for name, value in order["fields"].items()},
        "offers": {name: list(map(change, some)) for name, some in order["offers"].items()},
    }


def _id_of(said: dict[str, Json]) -> str | None:
    call_id, side, start = (said.get(name) for name in _TELL_ID)
    return f"{call_id}/{side}/{max(0, round(start * 1000)):09d}" if type(start) is float else None
