"""Stored texts and queries are folded alike."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.search import MAX_TERM, MAX_TERMS, fold, searchable, terms


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("路灯，坏了。", "路灯坏了"),
        ("ＡＢＣ１２３", "abc123"),
        ("Straße 5-3", "strasse53"),
        ("%_\\'\"\x00\n", ""),
    ],
)
def test_folding(text: str, folded: str) -> None:
    assert fold(text) == folded


def test_parts_do_not_run_into_each_other() -> None:
    assert searchable(["路灯 坏了", "…", "你好"]) == "路灯坏了\n你好\n"


def test_a_query_is_its_words_once_and_not_without_end() -> None:
    assert terms(" 路灯  刘桥镇 路灯 % ") == ("路灯", "刘桥镇")
    assert len(terms(" ".join(str(n) for n in range(99)))) == MAX_TERMS
    assert terms("长" * 500) == ("长" * MAX_TERM,)


WRITTEN = st.text(alphabet="路灯坏了刘桥镇abcXYZ０１２Ｑ，。! \t\n%_'")


@given(WRITTEN, WRITTEN, WRITTEN)
def test_what_is_part_of_a_text_is_found_in_it(before: str, part: str, after: str) -> None:
    text = searchable([before + part + after])
    assert all(term in text for term in terms(part))
    assert all(c.isalnum() or c == "\n" for c in text)
