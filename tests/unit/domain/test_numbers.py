"""Callers' numbers in all their forms, and those that are withheld."""

import phonenumbers
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from domain.numbers import forms, is_withheld, national, parts, told, told_name

WITHHELD = [
    "", " ", "anonymous", "Anonymous", "ANONYMOUS", "unknown", "<unknown>", "Restricted", "private",
    "Private Number", "unavailable", "Unavailable", "withheld", "Number Withheld", "blocked", "0",
    "0000000000", "000-000-0000", "-1", "anonymous@anonymous.invalid", "sip:anonymous@anonymous.invalid",
    "sip:restricted@10.0.0.1", "asterisk", "null",
    "号码保密", "未知号码", "匿名", "Out Of Area", "N/A", "--", "+",
]  # fmt: skip


@pytest.mark.parametrize("told_by_trunk", WITHHELD)
def test_withheld_is_no_number(told_by_trunk: str) -> None:
    assert is_withheld(told_by_trunk)
    assert told(told_by_trunk) == ""
    assert national(told_by_trunk) is None
    assert forms(told_by_trunk) == ()


@pytest.mark.parametrize(
    "name", ["王小芳", "Privately Owned Ltd", ".........", "", "1001", "<b>", "0", "Nan"]
)
def test_a_name_is_kept(name: str) -> None:
    assert told_name(name) == name


@pytest.mark.parametrize("name", ["Anonymous", "unknown", "号码保密", "Private Number"])
def test_a_name_that_tells_nothing_is_none(name: str) -> None:
    assert told_name(name) == ""


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("13800138000", "13800138000"),
        ("013800138000", "13800138000"),
        ("8613800138000", "13800138000"),
        ("+8613800138000", "13800138000"),
        ("+86 138-0013-8000", "13800138000"),
        ("008613800138000", "13800138000"),
        ("086013800138000", "13800138000"),
        ("+013800138000", "13800138000"),
        ("tel:+86-138-0013-8000", "13800138000"),
        ("sip:13800138000@10.0.0.1:5060", "13800138000"),
        ("１３８００１３８０００", "13800138000"),
        ("051386110010", "051386110010"),
        ("0513-86110010", "051386110010"),
        ("0513 8611 0010", "051386110010"),
        ("(0513)86110010", "051386110010"),
        ("51386110010", "051386110010"),
        ("+8651386110010", "051386110010"),
        ("+86 (0)513 86110010", "051386110010"),
        ("86051386110010", "051386110010"),
        ("8651386110010", "051386110010"),
        ("008651386110010", "051386110010"),
        ("01065529999", "01065529999"),
        ("+861065529999", "01065529999"),
        ("861065529999", "01065529999"),
        ("4008001234", "4008001234"),
        ("+864008001234", "4008001234"),
        ("+12025550123", "+12025550123"),
        ("0012025550123", "+12025550123"),
        ("12345", "12345"),
        ("+8612345", "12345"),
        ("95588", "95588"),
        ("86110010", "86110010"),
        ("1001", "1001"),
        ("bob", None),
        ("1' OR '1'='1", None),
        ("13800138000;isub=1", None),
        ("1" * 21, None),
    ],
)
def test_a_subscriber_is_known_however_the_trunk_writes(written: str, meant: str | None) -> None:
    assert national(written) == meant
    if meant is None:
        assert forms(written) == ()
    else:
        assert {written, meant} <= set(forms(written))


AREAS = st.sampled_from(["10", "20", "21", "25", "28", "513", "512", "755", "371", "931", "991", "898"])
LANDLINES = st.builds(
    lambda area, rest: area + rest[: 8 if len(area) == 2 else len(rest)],
    AREAS,
    st.from_regex(r"[2-8][0-9]{7}", fullmatch=True),
)
MOBILES = st.from_regex(r"1[3-9][0-9]{9}", fullmatch=True)


@given(MOBILES | LANDLINES)
@example("51386110010")
def test_all_forms_lead_to_each_other(significant: str) -> None:
    written = [f"{prefix}{significant}" for prefix in ("+86", "86", "0086", "0", "", "+860", "860", "00860")]
    (meant,) = {national(one) for one in written}
    assert meant is not None
    for one in written:
        assert set(written[:4]) <= set(forms(one))
        assert meant in parts(one)


@given(MOBILES)
def test_the_numbering_plan_agrees(number: str) -> None:
    meant = phonenumbers.parse(f"+86{number}")
    assert national(f"0086{number}") == phonenumbers.national_significant_number(meant)


@given(st.text(max_size=40))
def test_nothing_breaks_it(written: str) -> None:
    bare = national(written)
    if bare is not None:
        assert national(bare) == bare
        assert bare in forms(written)
    assert all(parts(written))
