"""Each field read from short conversations; for whole sets, tests/benchmarks has floors of accuracy."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from domain.calls import Party
from domain.orders import Method
from domain.transcripts import Alternative
from tests.support.dialogues import CALLER_ID, REFERENCE, STARTED, dialogue, understood, value
from workorders.credit_code import ALPHABET, credit_code_valid
from workorders.extraction import ExtractionContext, extract
from workorders.extraction.classifier import Classifier, ClassifierError, load_classifier
from workorders.extraction.numbers import runs


# -- telephone numbers -----------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("said", "phone"),
    [
        ("一三九，一二三四，五六七八。", "13912345678"),
        ("幺三九一二三四五六七八。不对不对，幺三九一二三四五六七九。", "13912345679"),
        ("1391234 5678，后四位说错了，后四位是5679。", "13912345679"),
        ("13912345678吧。", "13912345678"),
        ("零五一三八六一二三四五六。", "051386123456"),
        ("1391234567起。", "13912345677"),
    ],
)
def test_numbers_as_they_are_said(said: str, phone: str) -> None:
    assert value(understood("您的联系电话？", said).fields, "phone") == phone


def test_a_digit_heard_as_another_word_is_trusted_less() -> None:
    found = understood("您的联系电话？", "1391234567起。").fields["phone"]
    assert found.confidence < 0.8


def test_a_number_taken_back_is_not_trusted() -> None:
    found = understood("您的联系电话？", "13912345678。不对不对，要三八。").fields["phone"]
    assert found.confidence < 0.5


def test_a_number_in_pieces_is_joined_and_trusted_less() -> None:
    asked, first, _, rest = dialogue("您的联系电话？", "1391234", "", "5678。")
    context = ExtractionContext(form="general", caller=Party(CALLER_ID, ""), reference=REFERENCE)
    fields = extract([asked, first, structs.replace(rest, start=10.0, end=12.0)], context).fields
    assert value(fields, "phone") == "13912345678"
    assert fields["phone"].confidence < 0.8


def test_the_agent_reads_back_what_was_swallowed_and_the_caller_confirms() -> None:
    fields = understood("您的电话？", "1391234568。", "是幺三九一二三四五五六八吗？", "对的。").fields
    assert value(fields, "phone") == "13912345568"
    assert len(fields["phone"].evidence) == 2


def test_two_readings_are_offered_side_by_side() -> None:
    found = understood("您的电话？", "13912345678。", "13912345679，对吗？", "嗯，差不多。")
    assert value(found.fields, "phone") == "13912345678"
    assert found.fields["phone"].confidence < 0.8
    assert found.offers["phone"][0].value == "13912345679"


def test_digits_said_again_at_the_end_and_prefixes_nobody_has_are_not_trusted() -> None:
    said_once = understood("您的电话？", "15975134545。", confidence=0.7).fields
    assert said_once["phone"].confidence < 0.8
    fields = understood("您的电话？", "一五四九七五一三四五八。").fields
    assert value(fields, "phone") == "15497513458"
    assert fields["phone"].confidence < 0.8


@given(st.text(alphabet="零一二三四五六七八九幺0123456789，。 起吧abc", max_size=40))
def test_no_number_is_ever_padded(text: str) -> None:
    (said,) = dialogue(text)
    for number in runs(said):
        assert len(number.digits) <= len(number.span.text) + 1
    fields = understood("电话？", text).fields
    if "phone" in fields and fields["phone"].method is not Method.SIGNALLING:
        assert len(str(fields["phone"].value)) in (8, 10, 11, 12)


# -- people ----------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("answer", "name"),
    [
        ("我信朝，麻烦你们一定要保密。", "曹"),
        ("我姓机。", "季"),
        ("我姓录，录地的录。", "陆"),
        ("免贵姓欧阳。", "欧阳"),
        ("我姓陈，耳东陈。", "陈"),
        ("我叫王建国，住在刘桥镇。", "王建国"),
        ("我姓成，成功的成，负责设备的。", "成"),
        ("连跪线林。", "林"),
        ("面贵信毛", "毛"),
    ],
)
def test_surnames_are_known_by_sound_and_by_what_tells_them_apart(answer: str, name: str) -> None:
    assert value(understood("请问您贵姓？", answer).fields, "caller_name") == name


def test_a_title_heard_by_its_sound_counts_too() -> None:
    fields = understood("请问您贵心？", "", "号地毛险圣。", "嗯，谢谢。", confidence=0.7).fields
    assert value(fields, "caller_name") == "毛"
    assert fields["caller_name"].confidence < 0.8


def test_what_the_recogniser_weighed_decides_over_the_word_it_wrote() -> None:
    asked, heard = dialogue("请问您贵姓？", "我幸福。", confidence=0.6)
    context = ExtractionContext(form="general", caller=Party(CALLER_ID, ""), reference=REFERENCE)
    weighed = (("我姓胡", 0.02), ("姓胡", 0.01), ("我姓虎", 0.01), ("免贵姓服", 1e-6))
    sure = structs.replace(heard, alternatives=tuple(Alternative(*one) for one in weighed))
    unlike = structs.replace(heard, alternatives=tuple(Alternative(text, p * 1e-6) for text, p in weighed))
    name = extract([asked, sure], context).fields["caller_name"]
    assert name.value == "胡"
    assert name.evidence[0].quote == "我幸福。"
    # What begins otherwise is not made a name of.
    assert extract([asked, unlike], context).fields == extract([asked, heard], context).fields


def test_words_of_the_matter_are_no_surname() -> None:
    fields = understood(
        "您好", "我是南通宏达纺织有限公司的公司在平潮镇，新丰路的路口没有灯，快派人来修。"
    ).fields
    assert "caller_name" not in fields


def test_what_the_agent_calls_the_caller_counts() -> None:
    fields = understood("您贵姓？", "我先骨。", "好的顾女士，我记下了。", "谢谢。").fields
    assert value(fields, "caller_name") == "顾"
    assert value(fields, "form_of_address") == "女士"


def test_the_taxonomys_lower_levels_are_found_by_what_callers_say() -> None:
    fields = understood("您好", "我要投诉，金沙街道有家化工厂晚上排废气，味道很难闻。").fields
    found = (value(fields, "category"), value(fields, "category2"), value(fields, "category3"))
    assert found == ("环境保护", "环境污染", "大气污染")
    paths = {(two, three) for _, two, three in REFERENCE.taxonomy}
    assert all(tuple(name.split("/")) in paths for name in REFERENCE.words.below)


# -- place, time, flags ------------------------------------------------------------------------------------
def test_nothing_is_a_place_that_was_not_named() -> None:
    fields = understood("您好", "我在高新区上班，想咨询一下社保，请问怎么办理，电话能办吗？").fields
    assert "town" not in fields
    assert "village" not in fields


def test_a_village_the_gazetteer_lacks_is_taken_as_it_was_said() -> None:
    fields = understood("您好", "我住在石港镇花市街村，路灯坏了。").fields
    assert (value(fields, "town"), value(fields, "village")) == ("石港镇", "花市街村")
    assert fields["village"].method is Method.RULE


def test_a_village_tells_its_town() -> None:
    assert value(understood("您好", "我要投诉，志浩村有家厂排废气。").fields, "town") == "川姜镇"


@pytest.mark.parametrize(
    ("said", "day"),
    [
        ("昨天晚上有老人摔倒了", "2026-05-28（昨天晚上）"),
        ("上个月十五号提交的申请", "2026-04-15（上个月十五号）"),
        ("三天前停的电", "2026-05-26（三天前）"),
        ("十二月三号开始坏的", "2025-12-03（十二月三号）"),
        ("上周五就报修了", "2026-05-22（上周五）"),
    ],
)
def test_relative_dates_are_meant_from_the_call(said: str, day: str) -> None:
    assert STARTED == 1_780_000_000.0
    assert value(understood("您好", f"你好，{said}。").fields, "occurred") == day


def test_danger_to_life_is_told_apart_from_mere_urgency() -> None:
    burst = understood("您好", "自来水管爆了，快点来修。").fields
    assert (value(burst, "urgent"), value(burst, "life_safety")) == (True, None)
    fire = understood("您好", "快点，楼上着火了，有人被困在里面！").fields
    assert (value(fire, "urgent"), value(fire, "life_safety")) == (True, True)
    assert fire["life_safety"].evidence[0].quote in ("着火", "被困")
    calm = understood("您好", "我想问一下小孩上学报名的事。").fields
    assert (value(calm, "urgent"), value(calm, "life_safety")) == (False, None)


@pytest.mark.parametrize(
    ("answer", "secret"),
    [
        ("需要保密。", True),
        ("要保密的，不要告诉他们是谁说的。", True),
        ("不用保密，没关系。", False),
        ("不需要。", False),
        ("需要。", True),
    ],
)
def test_confidentiality_is_asked_and_answered(answer: str, secret: bool) -> None:
    fields = understood("您好", "我要投诉。", "需要对您的信息保密吗？", answer).fields
    assert value(fields, "confidential") is secret


# -- units -------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("said", "unit"),
    [
        ("老板拖欠工资三个月了", "区人力资源和社会保障局"),
        ("化工厂夜里偷排废水", "区生态环境局"),
        ("小区电梯坏了物业不管", "区住房和城乡建设局"),
        ("家里停水了，水龙头没有水", "区水务公司"),
        ("孩子上小学怎么报名", "区教育体育局"),
    ],
)
def test_the_matter_leads_to_the_unit(said: str, unit: str) -> None:
    assert value(understood("您好", f"你好，{said}。").fields, "unit") == unit


def test_a_unit_named_by_the_agent_is_the_one() -> None:
    fields = understood("您好", "我这里水管坏了。", "好的，我马上通知供电公司来看。", "好。").fields
    assert value(fields, "unit") == "通州供电公司"


# -- forms -------------------------------------------------------------------------------------------------
def test_the_enterprise_form() -> None:
    whole = next(
        f"91320612MA1X2Y3W4{last}" for last in ALPHABET if credit_code_valid(f"91320612MA1X2Y3W4{last}")
    )
    fields = understood(
        "请问您公司有多少人？",
        "大概一百二十个人左右。",
        "统一社会信用代码呢？",
        f"{whole}，想问稳岗补贴。",
        form="enterprise",
    ).fields
    assert value(fields, "headcount") == "120"
    assert value(fields, "credit_code") == whole
    assert value(fields, "policy") == "稳岗补贴"
    wrong = whole[:-1] + ("1" if whole[-1] != "1" else "2")
    fields = understood("代码呢？", f"{wrong}。", form="enterprise").fields
    assert (value(fields, "credit_code"), value(fields, "credit_code_incomplete")) == (None, wrong)


@given(st.integers(0, 16), st.sampled_from(ALPHABET))
def test_one_wrong_character_of_a_credit_code_is_noticed(at: int, char: str) -> None:
    code = "91350100M000100Y43"  # the example of GB 32100-2015
    assert credit_code_valid(code)
    changed = code[:at] + char + code[at + 1 :]
    assert credit_code_valid(changed) == (changed == code)


def test_the_talent_form() -> None:
    fields = understood(
        "您好", "我是今年毕业的硕士研究生，在南通宏远科技上班，想问一下人才购房补贴怎么申请。", form="talent"
    ).fields
    assert value(fields, "degree") == "硕士研究生"
    assert value(fields, "policy") == "人才购房补贴"
    assert "宏远科技" in str(value(fields, "employer"))


# -- the classifier ------------------------------------------------------------------------------------------
def test_the_classifier_is_the_one_its_card_tells_of() -> None:
    classifier = load_classifier()
    assert classifier.card["heads"]["category"]["macro_f1"] >= 0.8
    for head in classifier.heads:
        shares = classifier.predict("学校乱收费，老师收补课费", head)
        assert sum(shares.values()) == pytest.approx(1.0, abs=1e-4)
    assert next(iter(classifier.predict("学校乱收费，老师收补课费"))) == "教育文体"
    assert next(iter(classifier.predict("化工厂排放废气，空气污染严重"))) == "环境保护"
    assert sum(classifier.predict("", "category").values()) == pytest.approx(1.0, abs=1e-4)


def test_a_classifier_that_is_not_there_says_the_fix(tmp_path: Path) -> None:
    with pytest.raises(ClassifierError, match="make classifier"):
        Classifier(tmp_path)
