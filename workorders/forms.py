"""The forms: which fields a line's orders have, their labels, and the values they accept. Pure."""

from typing import Any, Literal

from msgspec import Struct

from domain.orders import RequestType
from domain.refusals import Refusal
from workorders.credit_code import credit_code_valid

Kind = Literal["text", "choice", "bool", "list", "code"]
MAX_TEXT = 4000


class Field(Struct, frozen=True):
    """One field of a form."""

    name: str
    label: str
    kind: Kind = "text"
    required: bool = False
    choices: tuple[str, ...] = ()
    about_caller: bool = False
    """It says who calls: the same for each matter of a call."""


COMMON = (
    Field("request_type", "诉求类型", "choice", True, tuple(kind.value for kind in RequestType)),
    Field("category", "诉求分类"),
    Field("category2", "二级分类"),
    Field("category3", "三级分类"),
    Field("title", "标题", required=True),
    Field("summary", "诉求内容", required=True),
    Field("wish", "期望诉求"),
    Field("town", "镇街"),
    Field("village", "村居"),
    Field("location", "详细地点"),
    Field("occurred", "事发时间"),
    Field("caller_name", "来电人", about_caller=True),
    Field("form_of_address", "称呼", about_caller=True),
    Field("phone", "联系电话", about_caller=True),
    Field("phone_incomplete", "听到的不完整号码", about_caller=True),
    Field("enterprise", "单位名称", about_caller=True),
    Field("unit", "建议承办单位"),
    Field("urgent", "紧急", "bool"),
    Field("life_safety", "危及生命", "bool"),
    Field("confidential", "保密", "bool", about_caller=True),
    Field("keywords", "关键词", "list"),
)
ENTERPRISE = (
    Field("credit_code", "统一社会信用代码", "code", about_caller=True),
    Field("credit_code_incomplete", "听到的不完整代码", about_caller=True),
    Field("headcount", "职工人数", about_caller=True),
    Field("policy", "咨询政策"),
)
TALENT = (
    Field("degree", "学历", about_caller=True),
    Field("employer", "工作单位", about_caller=True),
    Field("policy", "咨询政策"),
)

FORMS: dict[str, tuple[Field, ...]] = {
    "general": COMMON,
    "enterprise": (*COMMON, *ENTERPRISE),
    "talent": (*COMMON, *TALENT),
}

ABOUT_CALLER = frozenset(field.name for form in FORMS.values() for field in form if field.about_caller)
"""Names of the fields that say who calls."""


def labels() -> dict[str, str]:
    """Return field name → label for all forms, in form order."""
    return {field.name: field.label for form in FORMS.values() for field in form}


class FieldError(Refusal, ValueError):
    """A value that does not fit its field, or a field that the form does not have."""


def check_value(form: str, name: str, value: Any) -> Any:
    """Check a value set by an agent and return it in normal form.

    Raises:
        FieldError: the form has no such field, or the value does not fit.
    """
    field = next((field for field in FORMS[form] if field.name == name), None)
    if field is None:
        raise FieldError(
            "field_unknown", form=form, field=name, fields=", ".join(one.name for one in FORMS[form])
        )
    if field.kind == "bool":
        if not isinstance(value, bool):
            raise FieldError("field_yes_no", field=name)
        return value
    if field.kind == "list":
        if not isinstance(value, list) or not all(isinstance(one, str) and len(one) <= 100 for one in value):
            raise FieldError("field_list", field=name)
        return value
    if not isinstance(value, str) or len(value) > MAX_TEXT:
        raise FieldError("field_text", field=name, most=MAX_TEXT)
    if field.kind == "code" and value.strip() and not credit_code_valid(value.strip().upper()):
        raise FieldError("field_code", field=name)
    if field.choices and value not in field.choices:
        raise FieldError("field_choice", field=name, choices=", ".join(field.choices))
    return value.strip().upper() if field.kind == "code" else value.strip()
