"""What a recogniser makes of telephone speech, imitated: homophones, blurred sounds, digits swallowed.
Deterministic.

Rates are those of Whisper base on 8 kHz A-law: about one character in five wrong, nearly all of them by a
character of
the same or a close sound; of doubled digits one in three is swallowed; numbers are written in Arabic digits.
"""

import random
import re
from collections import defaultdict
from functools import lru_cache

from pypinyin import Style, lazy_pinyin

from workorders.directories.syllables import INVENTORY

COMMON = (
    "的一是不了在人有我他这中大来上国个到说们为子和你地出道也时年得就那要下以生会自着去之过家学对可她里后小么心多天而能好都然没日于"
    "起还发成事只作当想看文无开手十用主行方又如前所本见经头面公同三已老从动两长知民样现分将外但身些与高意进把法此实回二理美点月明其种"
    "声全工己话儿者向情部正名定女问力机给等几很业最间新什打便位因重被走电四第门相次东政海口使教西再平真听世气信北少关并内加化由却代军产"
    "入先山五太水万市眼体别处总才场师书比住员九笑性通目华报立马命张活难神数件安表原车白应路期叫死常提感金何更反合放做系计或司利受光王果"
    "亲界及今京务制解各任至清物台象记边共风战干接它许八特觉望直服毛林题建南度统色字请交爱让认算论百吃义科怎元社术结六功指思非流每青管夫连"
    "远资队跟带花快条院变联言权往展该领传近留红治决周保达办运武半候七必城父强步完革深区即求品士转量空甚众技轻程告江语英基派满式李息写呢识"
    "极令黄德收脸钱党倒未持取设始版双历越史商千片容研像找友孩站广改议形委早房音火际则首单据导影失拿网香似斯专石若兵弟谁校读志飞观争究包组"
    "造落视济喜离虽坏兴切县镇村街桥刘川姜新证强春将振桩真针纯存准局举剧居具据"
)


@lru_cache(maxsize=1)
def _alike() -> dict[int, list[tuple[str, float]]]:
    chars = list(dict.fromkeys(COMMON))
    numbers = [INVENTORY.number(one) for one in lazy_pinyin(chars, style=Style.NORMAL)]
    found: dict[int, list[tuple[str, float]]] = defaultdict(list)
    for number in set(numbers):
        for char, other in zip(chars, numbers, strict=True):
            likeness = float(INVENTORY.matrix[number, other])
            if likeness > 0.72:
                found[number].append((char, likeness**8))
    return found


def misheard(text: str, rng: random.Random, rate: float = 0.22) -> str:
    """The text as a recogniser may write it."""
    text = re.sub(r"[零一二三四五六七八九幺，]{7,}", lambda run: _digits(run[0], rng), text)
    out = []
    for char in text:
        if not "\u4e00" <= char <= "\u9fff" or rng.random() > rate:
            out.append(char)
            continue
        if rng.random() < 0.06:
            continue
        number = INVENTORY.number(lazy_pinyin(char, style=Style.NORMAL)[0])
        near = [one for one in _alike().get(number, []) if one[0] != char]
        out.append(rng.choices([c for c, _ in near], [w for _, w in near])[0] if near else char)
    return "".join(out)


def _digits(run: str, rng: random.Random) -> str:
    digits = run.translate(str.maketrans("零一二三四五六七八九幺", "01234567891")).replace("，", "")
    digits = re.sub(r"(\d)\1", lambda pair: pair[1] if rng.random() < 0.33 else pair[0], digits)
    tail = "，" if run.endswith("，") else ""
    if rng.random() < 0.06:
        at = rng.randrange(len(digits))
        digits = digits[:at] + digits[at + 1 :]
    return digits + tail
