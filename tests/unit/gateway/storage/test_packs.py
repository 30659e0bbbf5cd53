"""Packs give back exactly what was packed, whatever JSON it is."""

import base64
import hashlib
import math
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.storage.packs import DICTIONARY, FORM, PackedFact, PackError, pack, unpack
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
FACTS = st.lists(st.dictionaries(NAMES, JSON, max_size=5) | st.text(max_size=9).map(ascii), max_size=12)


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
    back = unpack(pack(rows))
    assert [(one.seq, one.id) for one in back] == [(one.seq, one.id) for one in rows]
    assert [exactly(one.fact) for one in back] == [exactly(one.fact) for one in rows]


@pytest.mark.parametrize("value", [0.1 + 0.2, 1e-9, 1e300, -0.0, 294.83734614134914, math.pi, 5e-324])
def test_a_float_keeps_its_last_digit(value: float) -> None:
    rows = [PackedFact(n, n, {"at": at}) for n, at in enumerate([1.8e9, value, 0.0, value, value + 1e-6])]
    assert [repr(one.fact["at"]) for one in unpack(pack(rows))] == [repr(one.fact["at"]) for one in rows]


@pytest.mark.parametrize(
    "harm", [lambda data: data[:-3], lambda data: data[3:], lambda _: b"", lambda _: b"\x03\x00"]
)
def test_a_damaged_pack_is_an_error_with_a_name(harm: Any) -> None:
    data = pack([PackedFact(1, 2, {"kind": "CallStarted", "at": 1.5})])
    with pytest.raises(PackError):
        unpack(harm(data))
    with pytest.raises(PackError, match="form 2"):
        unpack(data, FORM + 1)


def test_packs_of_before_stay_readable() -> None:
    """With another dictionary, or another reader, nobody could read the years that are packed."""
    assert hashlib.sha256(DICTIONARY.read_bytes()).hexdigest() == DIGEST
    assert unpack(base64.b64decode(PACKED)) == ROWS


DIGEST = "43920314f7ec6b0d0081a3d0295a82a459c1c09325ddde99545565e5b0b5b4c4"
ROWS = [
    PackedFact(7, 2**62 + 1, {"kind": "CallStarted", "at": 1.25, "call": {
        "id": "m-1", "legs": [], "agent": None}}),
    PackedFact(9, 2**62 + 4, {"kind": "CallEnded", "at": 2.5, "call": {"id": "m-1", "legs": [{"a": True}]}}),
    PackedFact(12, None, {"kind": "UtteranceHeard", "utterance": {
        "id": "m-1/caller/000001500", "call_id": "m-1", "side": "caller", "start": 1.5, "text": "路灯坏了"}}),
    PackedFact(13, None, "{not JSON"),
]  # fmt: skip
PACKED = (
    "i4421zHSMdYBNetNzAwNzSzMDAwtTIzMjS3MLQ1MgTKI7g5oUAV3cOvAmlCQuIcWHzrY2tc60ZiqEpHVIlWQOniqY3"
    "BFDB7sQe17gERAd9eBpQxBpCFkSChX1xAsGR0L5kOCBSyD1D3RgegFDaCA1UabgNVAFAMFwJtwwJrQD3QDj7cg2QPL"
    "ghD3gJ2j9GL7+ueN65/O7X+yq00JbLABMAJMgTLVefklCl7B/n4gYQA="
)
