"""When it happened: relative dates (昨天晚上, 上个月十五号), resolved against the start of the call. Pure."""

import re
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta, timezone

import cn2an

from domain.calls import Side
from domain.transcripts import Utterance
from workorders.extraction.offered import Found, rule
from workorders.extraction.spoken import Span

CHINA = timezone(timedelta(hours=8))
NUMBER = r"[零一二两三四五六七八九十百0-9]{1,4}"
PART = r"(?:凌晨|清晨|早上|早晨|上午|中午|下午|傍晚|晚上|夜里|半夜|深夜|夜间)"
DAYS = {"今天": 0, "今早": 0, "今晚": 0, "昨天": -1, "昨晚": -1, "前天": -2, "大前天": -3}
WHEN = re.compile(
    rf"(?P<rel>大前天|前天|昨天|昨晚|今天|今早|今晚)(?P<part>{PART})?"
    rf"|(?P<month>上个?月|这个?月|本月)(?P<mday>{NUMBER})[号日]"
    rf"|(?P<m>{NUMBER})月(?P<d>{NUMBER})[号日]"
    rf"|(?P<ago>{NUMBER}|半)(?P<half>多?|来)个?(?:半)?(?P<unit>天|周|星期|礼拜|月|年)(?:多)?(?:以?前|了)"
    rf"|(?P<week>上周|上个?星期|上个?礼拜|这周|本周)(?P<wday>[一二三四五六日天])"
    rf"|从(?P<since>七|[一二三四五六八九十0-9]+)月份"
    rf"|(?P<today>从?{PART})(?:开始|到现在|起)"
)
SPAN_DAYS = {"天": 1, "周": 7, "星期": 7, "礼拜": 7, "月": 30, "年": 365}


def number(text: str) -> int | None:
    """Parse a Chinese or Arabic whole number; `None` if it is not one."""
    try:
        return int(cn2an.cn2an(text.replace("两", "二"), "smart"))
    except (ValueError, KeyError):
        return None


def occurred(utterances: Sequence[Utterance], started_at: float | None) -> dict[str, Found]:
    """Extract `occurred`: `2026-11-23（昨天晚上）`; only the words if the call's start is unknown."""
    today = datetime.fromtimestamp(started_at, UTC).astimezone(CHINA).date() if started_at else None
    for said in utterances:
        if said.side is not Side.CALLER:
            continue
        for match in WHEN.finditer(said.text):
            words = match.group().removesuffix("了")
            day, about = _day(match, today) if today else (None, False)
            if today is not None and day is None:
                continue
            told = f"{'约' if about else ''}{day.isoformat()}（{words}）" if day else words
            span = Span(said, match.start(), match.end())
            return {"occurred": Found(rule(told, 0.75 if not about else 0.65, span))}
    return {}


def _day(match: re.Match[str], today: date) -> tuple[date | None, bool]:
    """Return the day, and whether it is approximate."""
    got = match.groupdict()
    try:
        if got["rel"]:
            return today + timedelta(days=DAYS[got["rel"]]), False
        if got["month"]:
            first = today.replace(day=1)
            if got["month"].startswith("上"):
                first = (first - timedelta(days=1)).replace(day=1)
            return first.replace(day=number(got["mday"]) or 0), False
        if got["m"]:
            day = date(today.year, number(got["m"]) or 0, number(got["d"]) or 0)
            return (day if day <= today else day.replace(year=today.year - 1)), False
        if got["ago"]:
            many = 0.5 if got["ago"] == "半" else float(number(got["ago"]) or 0)
            if not many or many * SPAN_DAYS[got["unit"]] > 20_000:
                return None, False
            return today - timedelta(days=round(many * SPAN_DAYS[got["unit"]])), got["unit"] != "天"
        if got["week"]:
            monday = today - timedelta(days=today.weekday())
            if got["week"].startswith("上"):
                monday -= timedelta(days=7)
            return monday + timedelta(days="一二三四五六日".index(got["wday"].replace("天", "日"))), False
        if got["since"]:
            day = date(today.year, number(got["since"]) or 0, 1)
            return (day if day <= today else day.replace(year=today.year - 1)), True
    except ValueError:
        return None, False  # the 32nd of a month: misheard
    return today, False
