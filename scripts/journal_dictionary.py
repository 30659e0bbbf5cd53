"""Make `gateway/storage/journal.1.dict`: what the packs of every journal have in common.

`python -m scripts.journal_dictionary FILE`. Of made-up calls: what a pack of them holds before it is
compressed. Names of members, states, the words of forms and courtesies; nobody's sentences, numbers or names.
The result is never made anew: packs can be read only with the dictionary they were written with. A better
one has a new number.
"""

import re
import sys
from collections import Counter
from pathlib import Path

import msgspec

from benchmarks.whole_calls import NODDED, whole_calls
from domain.orders import RequestType
from gateway.storage.packs import PackedFact, document_of
from workorders.directories.reference import load_reference

SIZE = 32_000
"""Deflate looks no further back."""
_SENTENCE = re.compile(r'"[^"]*[一-鿿][^"]{8,}"')
_NUMBER = re.compile(r"\d{4,}")
COURTESIES = (
    "您好，请问有什么可以帮您？", "请问您贵姓？", "免贵姓", "您的电话号码是多少？", "请您留一个联系电话。",
    "具体是什么地方？", "请说一下详细地址。", "好的，已经为您记录下来了。", "我们会尽快转给相关部门处理。",
    "请您稍等一下。", "还有其他需要帮助的吗？", "没有了，谢谢。", "不客气，再见。", "我想反映一个情况，",
    "我要投诉，", "我想咨询一下，", "希望尽快处理。", "什么时候能给我回复？", "这个情况持续多久了？",
)  # fmt: skip


def main(target: Path) -> None:
    """Write it."""
    pieces: Counter[str] = Counter()
    for facts in whole_calls(12, 60, seed=2024, splits="c"):
        packed = [PackedFact(n, n, msgspec.to_builtins(fact)) for n, fact in enumerate(facts)]
        document = document_of(packed)
        pieces.update(_plain(shape) for shape in document.shapes)
        for columns in document.columns:
            pieces.update({_plain(column[:40]) for column in columns})
        pieces.update({_plain(fact) for fact in document.facts[:1]})
    reference = load_reference()
    words = [
        *NODDED,
        *COURTESIES,
        *(one.value for one in RequestType),
        *(unit.name for unit in reference.units),
    ]
    # What is most frequent comes last: it is nearest.
    common = [text for text, _ in reversed(pieces.most_common()) if len(text) > 6]
    whole = "".join([*words, *common]).encode()
    target.write_bytes(whole[-SIZE:])


def _plain(value: object) -> str:
    text = msgspec.json.encode(value).decode()
    return _NUMBER.sub("0", _SENTENCE.sub('""', text))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
