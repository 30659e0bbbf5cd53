"""What a call's facts say twice, left out of the later one, and put back. Pure, and exact.

- the id of an utterance, which its call, side and start tell;
- of a piece of evidence the quote and its time, which the utterance it comes from tells;
- when an order was updated: at the time of its fact.

A fact that could not be put back as it was is kept whole, in a list.
"""

import re
from typing import Any

Json = Any

_TELL_ID = ("call_id", "side", "start")
_EVIDENCE = ("utterance_id", "start", "end", "quote", "audio_start", "audio_end")
_SHORT_EVIDENCE = re.compile(r"(\d+) (\d+) (\d+)")


class Shorthand:
    """Of the facts of one document, in order. One object either writes or reads.

    How things are derived belongs to the form of packs: it is never changed for packs that are written.
    """

    def __init__(self) -> None:
        self._said: list[dict[str, Json]] = []
        self._number: dict[str, int] = {}
        self._evidence: dict[Any, Json] = {}

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
            order = self._with_evidence(order, self._short_evidence)
            if order["updated_at"] is True:
                raise ValueError("it would be taken for the fact's time")
            if repr(order["updated_at"]) == repr(fact["at"]):
                order["updated_at"] = True
            fact = {**fact, "order": order}
        return fact

    def _long(self, fact: dict[str, Json]) -> dict[str, Json]:
        said, order = fact.get("utterance"), fact.get("order")
        if type(said) is dict and "id" not in said and (identity := _id_of(said)) is not None:
            fact = {**fact, "utterance": {"id": identity, **said}}
        if type(order) is dict:
            order = self._with_evidence(order, self._long_evidence)
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

    def _with_evidence(self, order: dict[str, Json], change: Any) -> dict[str, Json]:
        def field(value: dict[str, Json]) -> dict[str, Json]:
            return {**value, "evidence": [change(one) for one in value["evidence"]]}

        return {
            **order,
            "fields": {name: field(value) for name, value in order["fields"].items()},
            "offers": {name: [field(one) for one in some] for name, some in order["offers"].items()},
        }

    def _short_evidence(self, whole: Json) -> Json:
        if type(whole) is not dict:
            if type(whole) is str:
                raise ValueError("it would be taken for short evidence")
            return whole
        # What is equal may not be the same: 1, 1.0 and true are, 0.0 and -0.0.
        key = (*whole.items(), *map(type, whole.values()))
        known = self._evidence.get(key)
        if known is None or 0.0 in whole.values():
            known = whole
            if tuple(whole) == _EVIDENCE and whole["utterance_id"] in self._number:
                short = f"{self._number[whole['utterance_id']]} {whole['start']} {whole['end']}"
                known = short if repr(self._told(short)) == repr(whole) else whole
            self._evidence[key] = known
        return known

    def _long_evidence(self, short: Json) -> Json:
        if type(short) is not str:
            return short
        if (whole := self._evidence.get(short)) is None:
            whole = self._evidence[short] = self._told(short)
        return whole

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


def _id_of(said: dict[str, Json]) -> str | None:
    call_id, side, start = (said.get(name) for name in _TELL_ID)
    return f"{call_id}/{side}/{max(0, round(start * 1000)):09d}" if type(start) is float else None
