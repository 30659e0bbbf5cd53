"""Where a caller comes to another matter."""

import pytest

from domain.calls import Side
from domain.transcripts import Utterance
from workorders.extraction.classifier import load_classifier
from workorders.extraction.split import suggest_split

CLASSIFIER = load_classifier()
LAMP = "我住刘桥镇，我们小区门口的路灯坏了半个月了，晚上黑得看不见路。"
WAGES = "我在工地上干了三个月，老板拖欠工资一直不发，一共两万块钱。"


def said(*texts: str, side: Side = Side.CALLER) -> list[Utterance]:
    return [Utterance(str(n), "c", side, n * 5.0, n * 5.0 + 4, text) for n, text in enumerate(texts)]


@pytest.mark.parametrize(
    "words",
    [
        "还有一件事，",
        "另外我还想反映一个问题，",
        "第二个事情是，",
        "对了，还有个事要说，",
        "再问一个别的事情，",
        "顺便再投诉一个情况，",
        "另一个问题，",
    ],
)
def test_who_says_so_comes_to_another_matter(words: str) -> None:
    split = suggest_split(said(LAMP, "大概就是这样。", words + WAGES), CLASSIFIER)
    assert split is not None
    assert (split.at, split.quote) == (10.0, words + WAGES)
    # It is told in the caller's words alone: no classifier is needed.
    assert suggest_split(said(LAMP, words + WAGES), None) is not None


@pytest.mark.parametrize("words", ["另外，", "还有，", "再就是"])
def test_who_only_goes_on_does_where_it_is_about_something_else(words: str) -> None:
    split = suggest_split(said(LAMP, words + WAGES), CLASSIFIER)
    assert split is not None
    assert split.at == 5.0
    assert suggest_split(said(LAMP, words + "那几盏路灯也是一闪一闪的，都是那一排。"), CLASSIFIER) is None
    assert suggest_split(said(LAMP, words + WAGES), None) is None


@pytest.mark.parametrize(
    "texts",
    [
        (LAMP,),
        (LAMP, "没有别的事情了，谢谢。"),
        (LAMP, "我没什么其他问题了，就这一个事。"),
        (LAMP, "还有一件事。"),  # and nothing of it yet
        ("还有一件事，" + WAGES,),  # no matter before it
        (LAMP, "这是第二次打电话了，还有多久能修好？"),
        (LAMP, "就在第二个路口往东，第三个路灯杆那里，一到晚上全是黑的。"),
        (LAMP, "还有一会儿我就到家了，你们什么时候来人？"),
    ],
)
def test_one_matter_is_one(texts: tuple[str, ...]) -> None:
    assert suggest_split(said(*texts), CLASSIFIER) is None


def test_the_agent_s_questions_open_nothing() -> None:
    asks = Utterance("a", "c", Side.AGENT, 4.5, 6.0, "您还有其他问题吗？还有一件事情想跟您核实一下。")
    assert suggest_split([*said(LAMP), asks, *said("", "没有了。")], CLASSIFIER) is None


def test_of_three_matters_the_last_is_suggested() -> None:
    # The second has an order of its own by then: what belongs to it is asked about.
    split = suggest_split(
        said(LAMP, "还有一件事，" + WAGES, "第三个事情，楼上半夜装修，噪音太大了。"), CLASSIFIER
    )
    assert split is not None
    assert split.at == 10.0
