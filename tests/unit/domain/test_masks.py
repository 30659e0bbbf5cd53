"""Masking of numbers, names, addresses and words for those who may not see them in full."""

import pytest

from domain.orders import Evidence, FieldValue, Method, Order, RelatedOrder, SplitSuggestion
from domain.orders import OrderState as State
from domain.visibility.masks import mask_address, mask_digits, mask_name, mask_number
from domain.visibility.policy import NOTHING, SCREEN, WHOLE, Privacy, Visibility
from domain.visibility.redact import field_text, redact, typed
from gateway.settings import PrivacySettings


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("13800138000", "138****8000"),
        ("+8613800138000", "+861******8000"),
        ("请回电 138 0013 8000，谢谢", "请回电 138 **** 8000，谢谢"),
        ("138-0013-8000", "138-****-8000"),
        ("幺三八，零零幺三，八零零零", "幺三八，****，八零零零"),
        ("１３８００１３８０００", "１３８****８０００"),
        ("320612198001011234", "320***********1234"),
        ("81234567", "81****67"),
        ("1234567", "1****67"),
        ("123456", "123456"),
        ("我打了12345两次，一共20分钟", "我打了12345两次，一共20分钟"),
        ("", ""),
    ],
)
def test_a_number_keeps_its_places_and_loses_its_middle(text: str, seen: str) -> None:
    assert mask_number(text) == seen
    assert mask_number(seen) == seen
    assert len(seen) == len(text)


def test_names_addresses_and_short_numbers() -> None:
    assert (mask_name("欧阳小芳"), mask_name("")) == ("欧***", "")
    assert (mask_address("人民路128号3单元"), mask_address("")) == ("人民路***", "")
    assert (mask_digits("13800"), mask_digits("138****8000")) == ("***00", "138****8000")
    # What people may call themselves is no formula for us: it is only text.
    assert mask_name("<b>x</b>") == "<" + "*" * 7


def order(**fields: object) -> Order:
    return Order(
        id="o",
        call_id="main-1767234567.12",
        line="12345",
        state=State.DRAFT,
        fields={name: FieldValue(value, 0.9, Method.RULE) for name, value in fields.items()},
        created_at=1.0,
        updated_at=2.0,
    )


FILLED = order(
    caller_name="欧阳小芳",
    phone="13800138000",
    location="人民路128号3单元",
    town="金沙街道",
    enterprise="示例公司",
    credit_code="91320612MA1234567X",
    occurred="2026-01-31 08:00",
    summary="欧阳小芳反映人民路128号3单元漏水，请回电 13800138000 或 05138611001",
    urgent=True,
    keywords=["漏水", "13800138000"],
)
NO_NUMBERS = Visibility(numbers=False)


def test_an_order_keeps_what_it_is_about() -> None:
    seen = redact(FILLED, NOTHING)
    values = {name: field.value for name, field in seen.fields.items()}
    assert values == {
        "caller_name": "欧***",
        "phone": "138****8000",
        "location": "人民路***",
        "town": "金沙街道",
        "enterprise": "示例公司",
        "credit_code": "91320612MA1234567X",
        "occurred": "2026-01-31 08:00",
        "summary": "欧***反映人民路***漏水，请回电 138****8000 或 051****1001",
        "urgent": True,
        "keywords": ["漏水", "138****8000"],
    }
    assert (seen.id, seen.call_id) == (FILLED.id, FILLED.call_id)
    assert redact(FILLED, WHOLE) is FILLED
    only = redact(FILLED, Visibility(names=False))
    assert "138" in str(only) and "欧阳小芳" not in str(only)


def test_the_sentence_a_masked_value_came_from_is_hidden_with_it() -> None:
    def heard(value: str, quote: str) -> FieldValue:
        return FieldValue(value, 0.9, Method.RULE, (Evidence("u", 0, 4, quote, 1.0, 2.0),))

    one = Order(
        id="o", call_id="c", line="12345", state=State.DRAFT, created_at=1.0, updated_at=1.0,
        fields={
            "phone": heard("13800138000", "号码是要散八"),
            "summary": heard("漏水", "我家漏水，一三八零零一三八零零零"),
        },
        offers={"phone": (heard("13900139000", "幺三九"),)},
        related=(RelatedOrder("o2", 1.0, "caller", "回电13700137000"),),
        split=SplitSuggestion(9.0, "还有一件事，号码是要散八，另一个13700137000"),
    )  # fmt: skip
    seen = redact(one, NO_NUMBERS)
    assert seen.fields["phone"].evidence[0].quote == "***"
    assert seen.fields["summary"].evidence[0].quote == "我家漏水，一三八****八零零零"
    assert (seen.offers["phone"][0].value, seen.offers["phone"][0].evidence[0].quote) == (
        "139****9000",
        "***",
    )
    assert seen.related[0].title == "回电137****7000"
    assert seen.split is not None
    assert "13700137000" not in seen.split.quote
    quiet = redact(one, Visibility(transcripts=False))
    assert quiet.split is not None
    assert "一件事" not in quiet.split.quote
    assert quiet.fields["phone"].value == "13800138000"
    assert {field.evidence[0].quote for field in quiet.fields.values()} == {"***"}


def test_saving_what_was_shown_masked_loses_nothing() -> None:
    """Editing text around a masked number sends the stars back; the number is kept."""
    seen = redact(FILLED, NOTHING)
    shown_values = {name: field.value for name, field in seen.fields.items()}
    assert typed(FILLED, shown_values, {}, NOTHING) == {n: f.value for n, f in FILLED.fields.items()}
    edited = {"summary": f"{seen.fields['summary'].value}。已派单", "phone": "13900139000"}
    assert typed(FILLED, edited, {}, NOTHING) == {
        "summary": f"{FILLED.fields['summary'].value}。已派单",
        "phone": "13900139000",
    }
    draft = {"phone": "1390013900"}
    assert typed(FILLED, {"phone": field_text("phone", draft["phone"], NOTHING)}, draft, NOTHING) == draft
    # Stars of one field bring nothing of another to light.
    assert typed(FILLED, {"town": "138****8000"}, {}, NOTHING) == {"town": "138****8000"}
    assert typed(FILLED, {"summary": "138****8000"}, {}, WHOLE) == {"summary": "138****8000"}


def test_who_is_not_named_sees_nothing_whole() -> None:
    settings = PrivacySettings(whole_numbers=["admin"], whole_names=[], whole_transcripts=["screen"])
    privacy = settings.model()
    assert privacy.visibility("admin") == Visibility(names=False, transcripts=False)
    assert privacy.visibility("agent") == Visibility(False, False, addresses=True, transcripts=False)
    assert privacy.visibility(SCREEN) == Visibility(False, False, False, transcripts=True)
    assert Privacy().visibility("agent") == privacy.visibility("somebody") == NOTHING
    usual = PrivacySettings().model()
    assert all(usual.visibility(role) == WHOLE for role in ("agent", "supervisor", "admin"))
    assert usual.visibility(SCREEN) == NOTHING
