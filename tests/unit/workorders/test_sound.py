"""Names by sound: what telephone speech confuses, what it does not, among thousands of names."""

import pytest

from tests.support.names import ENTERPRISES
from tests.support.names import VILLAGES as MANY
from workorders.directories.sound import SoundIndex, syllables_alike
from workorders.directories.syllables import parts

VILLAGES = SoundIndex(["慎修桥村", "志浩村", "余北居", *MANY], floor=0.4)
FIRMS = SoundIndex(["南通佳美装饰工程有限公司", "江苏远航船舶配件有限公司", *ENTERPRISES])


@pytest.mark.parametrize(
    ("one", "other"),
    [("张", "脏"), ("陈", "岑"), ("石", "四"), ("南", "蓝"), ("英", "音"), ("房", "黄"), ("兴", "新")],
)
def test_what_the_line_confuses_is_alike(one: str, other: str) -> None:
    assert syllables_alike(one, other) > 0.8
    assert syllables_alike(one, other) == syllables_alike(other, one)


@pytest.mark.parametrize(("one", "other"), [("张", "李"), ("村", "河"), ("刘", "马"), ("镇", "路")])
def test_what_it_keeps_apart_is_not(one: str, other: str) -> None:
    assert syllables_alike(one, other) < 0.5
    assert syllables_alike(one, one) == 1.0


@pytest.mark.parametrize(
    ("syllable", "taken_apart"),
    [
        ("zhuang", ("zh", "u", "a", "ng")), ("xu", ("x", "", "v", "")), ("liu", ("l", "i", "o", "u")),
        ("yuan", ("", "v", "a", "n")), ("shi", ("sh", "", "I", "")), ("er", ("", "", "e", "r")),
        ("wei", ("", "u", "e", "i")), ("dui", ("d", "u", "e", "i")), ("lv", ("l", "", "v", "")), ("x1", None),
    ],
)  # fmt: skip
def test_syllables_are_taken_apart(syllable: str, taken_apart: object) -> None:
    assert parts(syllable) == taken_apart


@pytest.mark.parametrize(
    ("heard", "meant", "index"),
    [
        ("在圣旧乔遵十二组", "慎修桥村", VILLAGES),
        ("那边之后村有一家", "志浩村", VILLAGES),
        ("就在于北居农贸市场", "余北居", VILLAGES),
        ("叫南通加美装市工程有限公司", "南通佳美装饰工程有限公司", FIRMS),
        ("五街镇江苏远航传播配件有限公司的", "江苏远航船舶配件有限公司", FIRMS),
    ],
)
def test_a_name_misheard_is_found_among_thousands(heard: str, meant: str, index: SoundIndex) -> None:
    found = index.search(heard, 0.72)
    assert found[0].name == meant
    assert heard[found[0].start : found[0].end]


def test_a_lost_and_an_added_syllable_do_not_hide_a_name() -> None:
    index = SoundIndex(["南通佳美装饰工程有限公司", "南通永盛纺织有限公司"])
    for heard in ("叫南通佳装饰工程有限公司", "叫南通佳美的装饰工程有限公司"):
        best = index.search(heard, 0.7)[0]
        assert (best.name, best.exact) == ("南通佳美装饰工程有限公司", False)
        assert best.likeness > 0.85
        assert heard[best.start : best.end].startswith("南通")


def test_strange_text_finds_nothing_and_breaks_nothing() -> None:
    for text in ("", "，。！", "🙂🙂", "abc<script>", "\u0000", "〇" * 500):
        assert VILLAGES.search(text, 0.72) == [] or text.startswith("〇")
    assert SoundIndex([]).search("刘桥镇", 0.5) == []
    assert SoundIndex(["", "🙂"]).search("刘桥镇", 0.5) == []
