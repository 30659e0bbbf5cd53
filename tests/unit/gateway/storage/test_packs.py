"""Packs give back exactly what was packed, whatever JSON it is."""

import base64
import itertools
import math
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.whole_calls import whole_calls
from domain.facts import call_id_of
from gateway.storage import packs
from gateway.storage.pack_document import PackedFact
from gateway.storage.packs import FORM, PackError, document, documents, pack
from gateway.storage.patches import made_of_nothing, patch_of, patched

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**62), 2**62)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.floats(1.7e9, 1.9e9).map(lambda at: round(at, 6))
    | st.sampled_from(["", "a", "id", "#a", "路灯坏了", "\x00", "0"])
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
)
NAMES = st.sampled_from(["id", "uniqueid", "a", "b", "", "call", "utterance", "call_id", "side", "start"])
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=5),
    max_leaves=20,
)
ODD_NAMES = st.sampled_from(["#a", "#", "kind", "order", "at", "updated_at", "evidence"])
PLACES = st.integers(-1, 4) | st.sampled_from([True, 1.0, "1"])
TIMES = st.sampled_from([0.0, -0.0, 1.0, 1, True, 2.0, 2.5, None])
UTTERANCES = st.fixed_dictionaries(
    {
        "call_id": st.sampled_from(["m-1", "m-2"]),
        "side": st.sampled_from(["caller", "agent", None]),
        "start": TIMES,
        "end": TIMES,
        "text": st.sampled_from(["路灯", "路灯坏了", ""]),
    },
    optional={"id": st.sampled_from(["m-1/caller/000001000", "m-2/agent/000000000", "u"])},
)
EVIDENCE = st.fixed_dictionaries(
    {
        "utterance_id": st.sampled_from(["m-1/caller/000001000", "m-2/agent/000000000", "u"]),
        "start": PLACES,
        "end": PLACES,
        "quote": st.sampled_from(["路", "路灯", "灯", ""]),
        "audio_start": TIMES,
        "audio_end": TIMES,
    }
)
FIELDS = st.fixed_dictionaries(
    {"evidence": st.lists(EVIDENCE | st.sampled_from(["0 1 2", "0 0 1", None, [1], {}]), max_size=4)}
)
ORDERS = st.fixed_dictionaries(
    {
        "id": st.sampled_from(["o", "p"]),
        "fields": st.dictionaries(NAMES, FIELDS, max_size=2),
        "offers": st.dictionaries(NAMES, st.lists(FIELDS, max_size=2), max_size=2),
        "updated_at": TIMES,
    }
)
LIKE_REAL = st.fixed_dictionaries({"at": TIMES}, optional={"utterance": UTTERANCES, "order": ORDERS})
FACTS = st.lists(
    st.dictionaries(NAMES | ODD_NAMES, JSON, max_size=5) | LIKE_REAL | st.text(max_size=9).map(ascii),
    max_size=12,
)


def exactly(value: Any) -> Any:
    """As JSON, members in the order of their names: true is not 1, and 1 not 1.0."""
    return msgspec.json.encode(value, order="sorted")


@given(JSON, JSON)
def test_a_patch_makes_the_new_value_of_the_old(old: Any, new: Any) -> None:
    patch = patch_of(old, new)
    made = old if patch is None else patched(old, through_json(patch))
    assert exactly(made) == exactly(new) or (patch is None and made == new)
    assert exactly(patched(old, through_json(made_of_nothing(new)))) == exactly(new) or isinstance(new, dict)


def through_json(patch: Any) -> Any:
    return msgspec.json.decode(msgspec.json.encode(patch))


@given(FACTS, st.lists(st.integers(1, 2**40), min_size=12, max_size=12), st.booleans())
def test_facts_come_back_as_they_were(facts: list[Any], steps: list[int], old: bool) -> None:
    seqs = [sum(steps[: number + 1]) for number in range(len(facts))]
    rows = [
        PackedFact(seq, None if old and number % 2 else seq * 2**20 % 2**63, fact)
        for number, (seq, fact) in enumerate(zip(seqs, facts, strict=True))
    ]
    back = unpacked(pack([document(rows)]))
    assert [(one.seq, one.id) for one in back] == [(one.seq, one.id) for one in rows]
    assert [exactly(one.fact) for one in back] == [exactly(one.fact) for one in rows]


def unpacked(data: bytes) -> list[PackedFact]:
    return [fact for one in documents(data) for fact in packs.facts(one)]


@pytest.mark.parametrize("written", [False, True])
def test_what_can_be_told_from_what_was_said_is_left_out(written: bool) -> None:
    """Quotes and their times are in every step of an order, over and over."""
    (facts,) = whole_calls(1, 30, written=written)
    rows = [PackedFact(n, n, through_json(fact)) for n, fact in enumerate(facts) if call_id_of(fact)]
    one = document(rows)
    assert packs.facts(one) == rows
    assert b"quote" not in one and b"audio_start" not in one


ODD: list[dict[str, Any]] = [
    {"quote": "灯"}, {"quote": None}, {"start": False}, {"start": True}, {"start": 1.0}, {"start": 0.0},
    {"start": -2}, {"end": True}, {"end": 9}, {"end": 2.0}, {"audio_start": -0.0}, {"audio_start": 0},
    {"audio_start": 2}, {"audio_end": 1.01}, {"audio_end": "1.0"}, {"more": 1}, {"utterance_id": None},
    {"utterance_id": "m-1/caller/000000009"}, {"utterance_id": []},
]  # fmt: skip


@pytest.mark.parametrize("place", [0, 1])
@pytest.mark.parametrize("odd", ODD)
def test_evidence_that_what_was_said_does_not_tell_is_kept(odd: dict[str, Any], place: int) -> None:
    said = {"call_id": "m-1", "side": "caller", "start": float(place), "end": place + 2.0, "text": "路灯"}
    said = {"id": f"m-1/caller/00000{place}000", **said}
    told = {"start": place, "end": place + 1, "quote": "路灯"[place], "audio_start": 2.0 * place}
    told = {"utterance_id": said["id"], **told, "audio_end": 2.0 * place + 1}
    for one, other in ((told, {**told, **odd}), ({**told, **odd}, told)):
        fields = {"a": {"evidence": [one, other, one]}, "b": {"evidence": [other, one, other]}}
        order = {"id": "o", "fields": fields, "offers": {}, "updated_at": 1.0}
        come_back([{"utterance": said}, {"at": 1.0, "order": order}])


@pytest.mark.parametrize(
    ("at", "updated_at"), [(1.0, True), (1.0, 1), (0.0, -0.0), (True, True), (1.0, None)]
)
def test_an_order_that_was_updated_at_another_time(at: Any, updated_at: Any) -> None:
    come_back([{"at": at, "order": {"id": "o", "fields": {}, "offers": {}, "updated_at": updated_at}}])


def come_back(facts: list[Any]) -> None:
    rows = [PackedFact(number, number, fact) for number, fact in enumerate(facts)]
    assert [exactly(one.fact) for one in unpacked(pack([document(rows)]))] == list(map(exactly, facts))


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=40), st.text(max_size=3).map(ascii))
def test_each_call_of_a_pack_is_read_by_itself(text: str, call: str) -> None:
    calls = [[PackedFact(n, n, {"kind": text, call: [text, n]})] for n in range(3)]
    found = documents(pack(document(facts) for facts in calls))
    assert [packs.facts(one) for one in found] == calls


def test_all_of_unicode_comes_back() -> None:
    every = "".join(map(chr, itertools.chain(range(0xD800), range(0xE000, 0x110000))))
    rows = [PackedFact(1, 1, {"kind": every})]
    assert unpacked(pack([document(rows)])) == rows


@pytest.mark.parametrize("value", [0.1 + 0.2, 1e-9, 1e300, -0.0, 294.83734614134914, math.pi, 5e-324])
def test_a_float_keeps_its_last_digit(value: float) -> None:
    rows = [PackedFact(n, n, {"at": at}) for n, at in enumerate([1.8e9, value, 0.0, value, value + 1e-6])]
    back = unpacked(pack([document(rows)]))
    assert [repr(one.fact["at"]) for one in back] == [repr(one.fact["at"]) for one in rows]


@pytest.mark.parametrize(
    "harm",
    [
        lambda data: data[:-3],
        lambda data: data[3:],
        lambda _: b"",
        lambda _: b"\x03\x00",
        lambda data: data[:-9] + bytes([data[-9] ^ 1]) + data[-8:],
    ],
)
def test_a_damaged_pack_is_an_error_with_a_name(harm: Any) -> None:
    data = pack([document([PackedFact(1, 2, {"kind": "CallStarted", "at": 1.5})])])
    with pytest.raises(PackError):
        documents(harm(data))
    with pytest.raises(PackError, match="form 2"):
        documents(data, FORM + 1)
    for text in (b"", b"[]", b"{}", b"\xff\xff", b"[[1],[1],[],[],[0]]", b"[[1],[1],[],[],[[]]]"):
        with pytest.raises(PackError):
            packs.facts(text)


def test_packs_of_before_stay_readable() -> None:
    """Else nobody could read the years that are packed."""
    assert unpacked(base64.b64decode(PACKED)) == ROWS


ROWS = [
    PackedFact(7, 2**62 + 1, {"kind": "CallStarted", "at": 1.25, "call": {
        "id": "m-1", "legs": [], "agent": None}}),
    PackedFact(9, 2**62 + 4, {"kind": "CallEnded", "at": 2.5, "call": {"id": "m-1", "legs": [{"a": True}]}}),
    PackedFact(12, None, {"kind": "UtteranceHeard", "utterance": {
        "id": "m-1/caller/000001500", "call_id": "m-1", "side": "caller", "start": 1.5, "end": 2.5,
        "text": "路灯坏了"}}),
    PackedFact(13, None, {"kind": "OrderChanged", "at": 2.75, "order": {
        "id": "o", "offers": {}, "updated_at": 2.75, "fields": {"title": {"value": "路灯坏了", "evidence": [
            {"utterance_id": "m-1/caller/000001500", "start": 0, "end": 2, "quote": "路灯",
             "audio_start": 1.5, "audio_end": 2.0}]}}}}),
    PackedFact(14, None, "{not JSON"),
]  # fmt: skip
PACKED = (
    "ehDjMeACcAFPAwAt4dF1c7qsaYMDlp/gHT3iBQg8mZoyKF2IDCEqGsVKNtBPXnTnftxSFXXy9kNvEl+cEVIPbloUN6"
    "2c/Qawc/3c/rnDNZ9kNl6wpv5ByxhPH46pgUTZeXmDwu4J0bzQ8UllJvcGo8Ncl325UYjMEBgpFXN3irxdyv61wsMl"
    "n57VKOtHgt7VLVU4OIE0EyKGfiXnegT3IJs2iUS6AWpQtU6FHNgZJKWNSy4G23oKTHlPkZPgxcTNJT06ddi5uNH2Cw"
    "2G/LLWbTqJAGUg27hiBJx5DRgvLPPLsA47lgRv2ALOJSp6EW+5rj/i1z5u6qSVXzCoMyfEHjHoy4spIcMcH3wjXBao"
    "YCm7ZLvsTbFnk7F/5dKcsjevtErSU45FyTCHA6fqxEC/JbmeXrUwa/WcaJzaCyK7VVf6QMK1f4+XGCySNApUovjfE1"
    "/dEp7UUpgryQA="
)
