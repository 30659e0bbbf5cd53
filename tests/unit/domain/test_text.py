"""Text that no database can store is found, or cleaned."""

import json

import pytest

from domain.text import MAX_DEPTH, clean, cleaned, find_unstorable, is_storable


@pytest.mark.parametrize("text", ["", "路灯坏了", "a\tb\nc", "𠮷野家", "\u200b", "\x7f\x01"])
def test_ordinary_text_stays_as_it_is(text: str) -> None:
    assert is_storable(text)
    assert clean(text) == text


@pytest.mark.parametrize(
    ("text", "after"), [("a\x00b", "a\ufffdb"), ("\ud83d", "\ufffd"), ("路\udc00", "路\ufffd")]
)
def test_what_cannot_be_stored_is_replaced(text: str, after: str) -> None:
    assert not is_storable(text)
    assert clean(text) == after
    assert cleaned({text: [text, {"x": text}], "n": 1}) == {after: [after, {"x": after}], "n": 1}
    clean(text).encode()


def test_the_place_of_the_first_is_named() -> None:
    body = json.loads('{"fields": {"title": "ok", "wish": ["a", "\\ud83d"]}}')
    assert find_unstorable(body) == "body.fields.wish.1"
    assert find_unstorable({"a\x00": 1}) == "body (a name)"
    assert find_unstorable({"a": [1, None, True, "x"]}) is None


def test_depth_is_bounded() -> None:
    nested: object = "x"
    for _ in range(MAX_DEPTH + 1):
        nested = [nested]
    assert find_unstorable(nested) is not None
