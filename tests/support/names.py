"""Thousands of names of places and enterprises, as a large district has them; the same each time."""

from itertools import cycle, product

_HEADS = "新东西南北大小上下长石金银双三五万永兴太平安和福吉古青红白高余曹孙李张王陈陆沈徐季袁丁杨俞瞿严"
_MIDDLES = "桥港河湾圩埭园场庙堡墩坝闸田井林山沟塘渡垛灶甸店楼院洋亭浜荡泾"
_BRANDS = "宏达盛华鑫源瑞丰恒泰嘉禾永信凯乐天成博远佳美东升兴业中联金辉海润昌隆正阳启航锦绣万顺德力康宁"
_TRADES = [
    "纺织",
    "电子科技",
    "机械制造",
    "装饰工程",
    "食品",
    "船舶配件",
    "新材料",
    "五金制品",
    "贸易",
    "生物科技",
    "化工",
]
_CITIES = ("南通", "南通", "江苏", "南通市通州区", "上海")

VILLAGES = tuple(head + middle + "村" for head, middle in product(_HEADS, _MIDDLES))
"""About 1,700."""
ENTERPRISES = tuple(
    f"{city}{first}{second}{trade}有限公司"
    for (first, second), trade, city in zip(
        product(_BRANDS, _BRANDS), cycle(_TRADES), cycle(_CITIES), strict=False
    )
)
"""About 2,200."""
