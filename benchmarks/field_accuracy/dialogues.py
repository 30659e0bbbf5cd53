"""Synthetic calls with their truth: who said what, and what the order must hold. Deterministic by seed.

The shape is that of the recorded calls: `line`, `turns` (speaker, start, end, text), `truth`.
"""

import random
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
TOWNS = [
    "金沙街道",
    "金新街道",
    "先锋街道",
    "兴东街道",
    "川姜镇",
    "平潮镇",
    "西亭镇",
    "二甲镇",
    "东社镇",
    "十总镇",
    "石港镇",
    "刘桥镇",
    "兴仁镇",
    "五接镇",
]
SURNAMES = (
    "王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗梁宋郑谢韩唐冯于董萧程曹袁邓许傅沈曾彭吕苏卢蒋蔡贾丁魏薛叶阎余潘"
    "杜戴夏钟汪田任姜范方石姚谭廖邹熊金陆郝孔白崔康毛邱秦江史顾侯邵孟龙万段雷钱汤尹黎易常武乔贺赖龚文瞿季保成缪"
    "施严葛卞凌费祝闵"
)
GIVEN = "建国志强秀英海燕小明丽华俊杰晓东玉兰国庆春梅文博雪琴永康佳怡思远美玲振宇红霞立新雅婷"
GLOSS = {  # how a surname is told apart: 陆地的陆
    "陆": "陆地",
    "保": "保护",
    "成": "成功",
    "顾": "照顾",
    "季": "季节",
    "石": "石头",
    "江": "长江",
    "常": "经常",
    "文": "文化",
    "武": "武术",
    "史": "历史",
    "严": "严格",
    "施": "施工",
    "费": "费用",
    "祝": "祝福",
    "方": "方向",
    "高": "高低",
    "金": "金子",
    "白": "白色",
    "康": "健康",
    "田": "种田",
}
HEADS = "新东西南北大小上下长石金银双三五万永兴太平安和福吉古青红白高余曹孙李张王陈陆沈徐季袁丁杨俞瞿严"
MIDDLES = "桥港河湾圩埭园场庙堡墩坝闸田井林山沟塘渡垛灶甸店楼院洋亭浜荡泾"
KINDS = ("村", "村", "村", "村", "社区", "居")
CITIES = ("南通", "南通", "江苏", "南通市通州区", "上海")
BRANDS = "宏达盛华鑫源瑞丰恒泰嘉禾永信凯乐天成博远佳美东升兴业中联金辉海润昌隆正阳启航锦绣万顺德力康宁"
TRADES = [
    "纺织",
    "家纺",
    "电子科技",
    "机械制造",
    "装饰工程",
    "建筑安装",
    "食品",
    "物流",
    "船舶配件",
    "新材料",
    "服饰",
    "环保设备",
    "农业发展",
    "五金制品",
    "汽车零部件",
    "生物科技",
    "信息技术",
    "贸易",
    "餐饮管理",
    "化工",
]
FORMS = ("有限公司", "有限公司", "有限公司", "有限责任公司", "股份有限公司")
DIGITS = "零一二三四五六七八九"


@dataclass(frozen=True)
class District:
    """Names that exist; the larger, the harder."""

    places: tuple[tuple[str, str], ...]
    enterprises: tuple[str, ...]


def district(seed: int, villages: int = 2400, enterprises: int = 2400) -> District:
    """Places and enterprises, none like another's twin by letters (by sound some are)."""
    rng = random.Random(seed)
    names: set[str] = set()
    while len(names) < villages:
        head = rng.choice(HEADS)
        body = rng.choice(["", rng.choice(HEADS), rng.choice(MIDDLES)]) + rng.choice(MIDDLES)
        names.add(head + body + rng.choice(KINDS))
    firms: set[str] = set()
    while len(firms) < enterprises:
        brand = "".join(rng.sample(BRANDS, rng.choice((2, 2, 2, 3))))
        firms.add(rng.choice(CITIES) + brand + rng.choice(TRADES) + rng.choice(FORMS))
    places = tuple((rng.choice(TOWNS), name) for name in sorted(names))
    return District(tuple((town, "") for town in TOWNS) + places, tuple(sorted(firms)))


def scenarios(split: str) -> list[dict[str, Any]]:
    """The scenarios of a split, `a` or `b`."""
    data = tomllib.loads((HERE / "scenarios.toml").read_text(encoding="utf-8"))
    return [one for one in data["scenario"] if one["split"] == split]


def spoken(number: str, rng: random.Random) -> str:
    """A telephone number as it is said."""
    text = "".join(DIGITS[int(digit)] for digit in number)
    if rng.random() < 0.3:
        text = text.replace("一", "幺")
    if rng.random() < 0.3:
        text = f"{text[:3]}，{text[3:7]}，{text[7:]}"
    return text


def mobile(rng: random.Random) -> str:
    """A mobile number."""
    return rng.choice(
        ("138", "139", "159", "186", "180", "137", "134", "151", "177", "199", "189")
    ) + "".join(str(rng.randrange(10)) for _ in range(8))


def dialogue(name: str, split: str, world: District, rng: random.Random) -> dict[str, Any]:
    """One call."""
    scene = rng.choice(scenarios(split))
    town, village = rng.choice([place for place in world.places if place[1]])
    if scene.get("town_only") or rng.random() < 0.25:
        village = ""
    firm = rng.choice(world.enterprises) if scene.get("firm") else ""
    opening = rng.choice(scene["open"])
    which = scene["open"].index(opening)
    if "{place}" not in opening and "{town}" not in opening:
        town = village = ""
    later = bool(village) and rng.random() < 0.3
    place = town if later or not village else town + village
    turns: list[tuple[str, str]] = []
    greeting = {
        "12345": "您好，这里是通州区12345，有什么可以帮您？",
        "yiqilai": "您好，一企来企业服务热线，请问有什么可以帮您？",
        "shangxian": "您好，尚贤人才服务热线，请问有什么可以帮您？",
    }[scene["line"]]
    turns.append(("agent", greeting))
    turns.append(("caller", opening.format(place=place, town=town, firm=firm)))
    if later:
        turns.append(
            ("agent", rng.choice([f"请问在{town}哪个村？", "具体在什么位置？", "是哪个村或者社区呢？"]))
        )
        turns.append(
            ("caller", rng.choice([f"在{village}。", f"{village}，靠近大路边。", f"就是{village}三组。"]))
        )
    if scene["wish"] and rng.random() < 0.7:
        turns.append(("agent", rng.choice(["您希望怎么处理？", "您的诉求是什么？"])))
        turns.append(("caller", rng.choice(scene["wish"])))
    confidential = scene["type"] in ("投诉", "举报") and rng.random() < 0.5
    anonymous = confidential and scene["type"] == "举报" and rng.random() < 0.4
    surname = rng.choice(SURNAMES)
    person: str | None = surname
    if anonymous:
        person = None
        turns.append(("agent", "您方便留下姓名和电话吗？"))
        turns.append(("caller", rng.choice(["我不想留名字，我匿名举报。", "匿名可以吗，我怕他们打击报复。"])))
    else:
        ask = rng.choice(["请问您贵姓？", "请问怎么称呼您？", "您的姓名是？"])
        if rng.random() < 0.25 and "姓名" in ask:
            person = surname + "".join(rng.sample(GIVEN, rng.choice((1, 2))))
            answer = rng.choice([f"我叫{person}。", f"我的名字叫{person}。"])
        elif surname in GLOSS and rng.random() < 0.6:
            answer = f"我姓{surname}，{GLOSS[surname]}的{surname}。"
        else:
            answer = rng.choice([f"我姓{surname}。", f"免贵姓{surname}。", f"姓{surname}。"])
        turns.append(("agent", ask))
        turns.append(("caller", answer))
        if rng.random() < 0.3:
            turns.append(("agent", f"好的，{surname}{rng.choice(('先生', '女士'))}。"))
    number: str | None = None
    if not anonymous:
        turns.append(("agent", rng.choice(["您的联系电话是多少？", "麻烦留一下手机号。", "联系电话呢？"])))
        way = rng.random()
        if way < 0.2:
            turns.append(("caller", rng.choice(["就打这个电话好了。", "就是现在打的这个号码。"])))
        else:
            number = mobile(rng)
            said = spoken(number, rng)
            if way < 0.35:
                place_of = rng.randrange(4, 11)
                wrong = number[:place_of] + str((int(number[place_of]) + rng.randrange(1, 9)) % 10)
                wrong += number[place_of + 1 :]
                fixed = rng.choice(["哦不对，是", "啊说错了，应该是", "不对不对，"])
                said = f"{spoken(wrong, rng)}。{fixed}{said}"
            turns.append(("caller", f"{rng.choice(['', '我的电话是', '手机号', '号码是'])}{said}。"))
            if rng.random() < 0.2:
                turns.append(("agent", f"我核对一下，{spoken(number, random.Random(1))}，对吗？"))
                turns.append(("caller", "对的。"))
    if confidential and not anonymous:
        turns.append(("agent", "需要对您的信息保密吗？"))
        turns.append(
            ("caller", rng.choice(["要保密的，不要告诉他们是谁说的。", "麻烦给我保密。", "需要保密。"]))
        )
    elif rng.random() < 0.2:
        turns.append(("agent", "需要对您的信息保密吗？"))
        turns.append(("caller", rng.choice(["不用保密，没关系。", "不需要。", "不用。"])))
    close = rng.choice(
        ["好的，我们会尽快转给承办单位处理，再见。", f"好的，{town or '情况'}我记下来了，请保持电话畅通。"]
    )
    turns.append(("agent", close))
    at = 0.6
    timed: list[dict[str, Any]] = []
    for speaker, text in turns:
        end = at + 0.4 + 0.22 * len(text)
        timed.append({"speaker": speaker, "start": round(at, 2), "end": round(end, 2), "text": text})
        at = end + 0.6
    return {
        "id": name,
        "line": scene["line"],
        "duration_s": round(at, 2),
        "turns": timed,
        "truth": {
            "request_type": scene["type"],
            "category": scene["category"],
            "category2": scene["level2"][which] if scene.get("level2") else None,
            "days_ago": scene.get("days_ago", {}).get(str(which)),
            "town": town or None,
            "village": village or None,
            "caller_name": person,
            "phone": number,
            "enterprise": firm or None,
            "unit": scene["unit"].format(town=town),
            "urgent": bool(scene.get("urgent")),
            "confidential": confidential,
        },
    }


def dialogues(count: int, split: str, world: District, seed: int) -> list[dict[str, Any]]:
    """`count` calls of a split."""
    rng = random.Random(seed)
    return [dialogue(f"{split}{number:03d}", split, world, rng) for number in range(count)]
