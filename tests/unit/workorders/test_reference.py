"""Data files: their formats, the errors that name line and fix, the knowledge base."""

from pathlib import Path

import pytest

from tests.support.dialogues import REFERENCE, understood, value
from workorders.directories.reference import ReferenceDataError, load_reference
from workorders.knowledge import load_knowledge


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("", r"places\.tsv: it is empty; its first line must name town"),
        ("# only words\n", r"it is empty"),
        ("village\n金霞社区\n", r":1: column town is missing"),
        ("town\tvillage\n金沙街道\t金霞社区\tx\ty\n", r":2: 4 cells for 2 columns; take the extra tab out"),
        ("town\tvillage\n\t金霞社区\n", r":2: the town is empty; name the town of '金霞社区'"),
        ("town\tvillage\n金沙\x07街道\t\n", r":2: a control character"),
    ],
)
def test_a_faulty_line_is_named_with_its_fix(tmp_path: Path, text: str, error: str) -> None:
    with pytest.raises(ReferenceDataError, match=error):
        load_reference(places=write(tmp_path / "places.tsv", text))


def test_a_file_that_is_no_text_or_not_there(tmp_path: Path) -> None:
    path = tmp_path / "units.tsv"
    path.write_bytes("unit\n区水务局\n".encode("gb18030"))
    with pytest.raises(ReferenceDataError, match="save it as UTF-8"):
        load_reference(units=path)
    with pytest.raises(ReferenceDataError, match=r"under \[reference\]"):
        load_reference(enterprises=tmp_path / "none.tsv")
    with pytest.raises(ReferenceDataError, match=r":3: name is empty"):
        load_reference(enterprises=write(tmp_path / "e.tsv", "name\tcode\n甲公司\t\n\t9132\n"))


def test_another_district_is_only_data(tmp_path: Path) -> None:
    reference = load_reference(
        places=write(
            tmp_path / "p.tsv",
            "town\tvillage\taliases\n东湖镇\t\t\n东湖镇\t龙潭村\t老龙潭\n\n# x\n西山乡\t\t\n",
        ),
        units=write(tmp_path / "u.tsv", "unit\n东湖县环境保护局\n东湖县人社局\n西山乡环保站\n"),
        enterprises=write(tmp_path / "e.tsv", "name\taliases\tcode\n东湖县金泰化工有限公司\t金泰化工\tX\n"),
        glossary=write(tmp_path / "g.tsv", "term\tkind\n龙潭助企贷\tpolicy\n"),
        taxonomy=write(tmp_path / "t.tsv", "level1\tlevel2\tlevel3\n环境保护\t大气\t废气\n"),
    )
    found = understood("您好", "我要举报，龙谈村的金太化工有限公司半夜排废气。", reference=reference).fields
    assert value(found, "town") == "东湖镇"
    assert value(found, "village") == "龙潭村"
    assert value(found, "unit") == "东湖县环境保护局"
    assert value(found, "enterprise") == "东湖县金泰化工有限公司"
    assert value(found, "category2") == "大气"
    assert reference.hot_words()[:3] == ("龙潭助企贷", "东湖镇", "西山乡")


def test_the_shipped_example_names_towns_units_and_hot_words() -> None:
    assert len(REFERENCE.towns) == 14
    assert len(REFERENCE.hot_words(20)) == 20
    assert "一企来" in REFERENCE.hot_words()
    assert {level1 for level1, _, _ in REFERENCE.taxonomy} >= {"城乡建设", "环境保护"}


@pytest.mark.parametrize(
    ("asked", "title"),
    [
        ("想咨询一下今年的稳岗补贴怎么申请，需要哪些材料", "稳岗返还（稳岗补贴）"),
        ("老板拖了我们三个月的工资", "拖欠工资怎么办"),
        ("自来水管爆了，水一直往外冒", "停水、水压低与水管爆裂"),
        ("硕士研究生人才购房补贴怎么申请", "人才购房补贴与租房补贴"),
    ],
)
def test_articles_are_found_by_what_is_said(asked: str, title: str) -> None:
    hits = load_knowledge().search(asked)
    assert hits[0].title == title
    assert 0 < hits[0].score <= 1
    assert hits[0].passage


def test_words_of_every_text_find_no_article() -> None:
    said = "我要举报，刘桥镇有个养猪场半夜往河里偷排粪水，我不想留名字，匿名举报可以吗？"
    assert [hit.id for hit in load_knowledge().search(said)] == ["anonymous"]
    assert load_knowledge().search("我想表扬一下政务服务大厅的工作人员，上门帮我妈妈办了老年卡。") == ()


def test_a_knowledge_base_of_ones_own(tmp_path: Path) -> None:
    write(tmp_path / "a.md", "# 高龄津贴\n\n八十周岁以上老人可以申领高龄津贴。")
    write(tmp_path / "t.tsv", "title\ttext\tkeywords\n公墓\t到民政局办理。\t骨灰 安葬\n")
    base = load_knowledge(tmp_path)
    assert [hit.id for hit in base.search("老人的高龄津贴")] == ["a"]
    assert [hit.id for hit in base.search("骨灰安葬")] == ["t:2"]
    assert base.search("") == base.search("🙂") == ()
    write(tmp_path / "b.md", "没有标题")
    with pytest.raises(ReferenceDataError, match=r"b\.md:1: an article is wanted"):
        load_knowledge(tmp_path)
    with pytest.raises(ReferenceDataError, match="no such folder"):
        load_knowledge(tmp_path / "none")
