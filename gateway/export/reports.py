"""A report as a file: HTML to be read and printed, XLSX, CSV, JSON. Pure but for XLSX, which is blocking."""

import io
import tempfile
from datetime import date, datetime, timedelta
from html import escape
from pathlib import Path
from typing import Any, Literal
from zoneinfo import ZoneInfo

import msgspec
from msgspec import Struct

from domain.reports.counts import RATES, SHOWN_COUNTS, Rate
from domain.reports.report import By, Report, ReportRow
from gateway.export import csv
from gateway.export.cells import Cell, Column, Table
from gateway.export.tables import TableContext
from gateway.export.words import Both
from gateway.export.xlsx import XlsxFile

Form = Literal["html", "xlsx", "csv", "json"]
TYPES: dict[Form, str] = {
    "html": "text/html; charset=utf-8",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "csv": "text/csv; charset=utf-8",
    "json": "application/json",
}
BY: dict[By, Both] = {
    By.LINE: ("线路", "Line"),
    By.AGENT: ("坐席", "Agent"),
    By.UNIT: ("承办单位", "Unit"),
    By.PLACE: ("镇街", "Town"),
    By.CATEGORY: ("类别", "Category"),
    By.SOURCE: ("来源", "Source"),
    By.HOUR: ("小时", "Hour"),
    By.DAY: ("日期", "Day"),
    By.MONTH: ("月份", "Month"),
    By.YEAR: ("年份", "Year"),
}
COUNT_NAMES: dict[str, Both] = {
    "offered": ("人工呼入量", "Offered"),
    "answered": ("接通量", "Answered"),
    "abandoned": ("放弃量", "Abandoned"),
    "calls": ("来电量", "Calls"),
    "repeated": ("重复来电", "Repeated calls"),
    "direct": ("直接答复", "Answered on the line"),
    "handed": ("工单", "Orders"),
    "closed": ("办结", "Closed"),
    "returned": ("退单", "Returned"),
}
RATE_NAMES: dict[str, Both] = {
    "connection_rate": ("接通率", "Connection rate"),
    "service_level": ("及时接通率", "Service level"),
    "average_wait_s": ("平均等待", "Average wait"),
    "average_talk_s": ("平均通话", "Average talk"),
    "direct_rate": ("直接答复率", "Answered on the line, share"),
    "closure_rate": ("办结率", "Closure rate"),
    "on_time_rate": ("按时办结率", "Closed in time, share"),
    "satisfaction_rate": ("满意率", "Satisfaction"),
    "resolution_rate": ("解决率", "Resolution"),
    "repeat_rate": ("重复来电率", "Repeated calls, share"),
    "return_rate": ("退单率", "Returned, share"),
}
SOURCES: dict[str, Both] = {
    "call": ("电话", "Telephone"),
    "enterprise_code": ("企业码", "Enterprise code"),
    "app": ("城市 APP", "City app"),
    "website": ("网站", "Website"),
    "monitoring": ("监测预警", "Monitoring alert"),
    "grid": ("网格员上报", "Grid member"),
}
UNKNOWN: Both = ("（未知）", "(unknown)")
TOTAL: Both = ("合计", "Total")
TITLE: Both = ("热线运行报表", "Hotline report")
RANGE: Both = ("{since} 至 {last}", "{since} to {last}")
MADE: Both = ("生成时间", "Made")
EXPLAINED: Both = (
    "各项指标计入来电（工单）发生的时段；口径见系统文档“统计指标”。",
    "Each figure counts in the period in which the call came in or the order was begun.",
)
SECONDS: Both = ("(秒)", " (s)")
SHEET: Both = ("报表", "Report")
_FORMATS = {By.HOUR: "%Y-%m-%d %H:%M", By.DAY: "%Y-%m-%d", By.MONTH: "%Y-%m", By.YEAR: "%Y"}


class ReportLine(Struct, frozen=True):
    """A row as it is written: what it is called, and its figures."""

    label: str
    row: ReportRow


_STYLE = """
body{font:14px/1.5 "PingFang SC","Microsoft YaHei","Noto Sans CJK SC",sans-serif;margin:2rem;color:#1f2329}
h1{font-size:1.4rem;margin:0}p{color:#4e5969;margin:.3rem 0 1rem}
dl{display:grid;grid-template-columns:repeat(5,1fr);gap:.8rem;margin:0 0 1.2rem}
dl div{border:1px solid #c9cdd4;border-radius:6px;padding:.5rem .8rem}
dt{color:#4e5969}dd{margin:0;font-size:1.3rem}
table{border-collapse:collapse;width:100%}
th,td{border:1px solid #c9cdd4;padding:.25rem .5rem;text-align:right}
th:first-child,td:first-child{text-align:left}thead th{background:#f2f3f5}tfoot td{font-weight:600}
@page{size:A4 landscape;margin:12mm}
@media print{body{margin:0;font-size:10px}thead{display:table-header-group}tr{break-inside:avoid}}
""".replace("\n", "")


def rendered(report: Report, form: Form, context: TableContext, made_at: float, zone: ZoneInfo) -> bytes:
    """The file. Blocking: run it in a thread."""
    if form == "json":
        return as_json(report)
    lines = lines_of(report, context, zone)
    if form == "html":
        return as_html(report, lines, context, datetime.fromtimestamp(made_at, zone))
    table = report_table(context, report.query.by)
    rows = table.rows(lines)
    if form == "csv":
        return csv.BOM.encode() + csv.lines([table.headers, *rows])
    out = io.BytesIO()
    with tempfile.TemporaryDirectory(prefix="hotline-report-") as scratch:
        book = XlsxFile(out, table, Path(scratch))
        book.add(rows)
        book.close()
    return out.getvalue()


def file_name(report: Report, form: Form, name: str = "report") -> str:
    """Says of which days it is; the same for the same report."""
    return f"{name}-{report.query.since:%Y%m%d}-{_last_day(report):%Y%m%d}-{report.query.by}.{form}"


def plain(report: Report) -> dict[str, Any]:
    """The report as the API tells it."""
    query = report.query
    return {
        "from": query.since.isoformat(),
        "to": _last_day(report).isoformat(),
        "by": query.by.value,
        "line": query.line,
        "rows": report.rows,
        "total": report.total,
    }


def as_json(report: Report) -> bytes:
    """Shares 0..1, times in seconds, periods by their beginning in POSIX seconds."""
    return msgspec.json.format(msgspec.json.encode(plain(report)), indent=1)


def lines_of(report: Report, context: TableContext, zone: ZoneInfo) -> list[ReportLine]:
    """The rows as they are written, the total last."""
    by = report.query.by
    lines = [ReportLine(_label(by, row.key, context, zone), row) for row in report.rows]
    return [*lines, ReportLine(context.words(TOTAL), report.total)]


def report_table(context: TableContext, by: By) -> Table[ReportLine]:
    """One row a period, line or value; shares in per cent, times in seconds."""
    columns = [Column[ReportLine](context.words(BY[by]), lambda line: line.label, 22)]
    columns += [_count_column(name, context) for name in SHOWN_COUNTS]
    columns += [_rate_column(rate, context) for rate in RATES]
    return Table(context.words(SHEET), tuple(columns))


def as_html(report: Report, lines: list[ReportLine], context: TableContext, made: datetime) -> bytes:
    """A page of its own, without a script, for screens and A4."""
    words, total = context.words, lines[-1]
    table = report_table(context, report.query.by)
    title = words(TITLE)
    days = words(RANGE).format(since=report.query.since, last=_last_day(report))
    line = f" · {context.line(report.query.line)}" if report.query.line is not None else ""
    figures = "".join(
        f"<div><dt>{escape(words(RATE_NAMES[rate.name]))}</dt><dd>{_shown(rate, total.row)}</dd></div>"
        for rate in RATES
    )
    head = "".join(f'<th scope="col">{escape(header)}</th>' for header in table.headers)
    *rows, foot = [_html_row(cells) for cells in table.rows(lines)]
    language = "zh-CN" if words(("zh", "en")) == "zh" else "en"
    page = (
        f'<!doctype html><html lang="{language}"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f"<style>{_STYLE}</style></head><body><h1>{escape(title)}</h1><p>{escape(days + line)} · "
        f"{escape(words(MADE))} {made:%Y-%m-%d %H:%M}</p><dl>{figures}</dl>"
        f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody><tfoot>{foot}</tfoot></table>"
        f"<p>{escape(words(EXPLAINED))}</p></body></html>"
    )
    return page.encode("utf-8", "replace")


def _html_row(cells: list[Cell]) -> str:
    first, *others = ["" if cell is None else escape(str(cell)) for cell in cells]
    return f'<tr><th scope="row">{first}</th>' + "".join(f"<td>{cell}</td>" for cell in others) + "</tr>"


def _shown(rate: Rate, row: ReportRow) -> str:
    value = row.rates[rate.name]
    if value is None:
        return "–"
    return f"{value:.1f} s" if rate.seconds else f"{value * 100:.2f} %"


def _label(by: By, key: str | int, context: TableContext, zone: ZoneInfo) -> str:
    if isinstance(key, int):
        return datetime.fromtimestamp(key, zone).strftime(_FORMATS[by])
    if key == "":
        return context.words(UNKNOWN)
    match by:
        case By.LINE:
            return context.line(key)
        case By.AGENT:
            return context.agent(key)
        case By.SOURCE:
            return context.words.of(SOURCES, key)
        case _:
            return key


def _count_column(name: str, context: TableContext) -> Column[ReportLine]:
    # What was not counted by this is left out, not 0: nobody waits in the queue of a unit.
    return Column(context.words(COUNT_NAMES[name]), lambda line: line.row.counts.get(name), 10)


def _rate_column(rate: Rate, context: TableContext) -> Column[ReportLine]:
    def value(line: ReportLine) -> Cell:
        figure = line.row.rates[rate.name]
        if figure is None:
            return None
        return round(figure, 1) if rate.seconds else round(figure * 100, 2)

    unit = context.words(SECONDS) if rate.seconds else "(%)"
    return Column(context.words(RATE_NAMES[rate.name]) + unit, value, 12)


def _last_day(report: Report) -> date:
    return report.query.until - timedelta(days=1)
