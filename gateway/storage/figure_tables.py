"""The tables of figures that last, and of reports sent by schedule: the last of `metadata`."""

from sqlalchemy import BigInteger, Column, Double, Index, Integer, String, Table, Text, text

from domain.reports.counts import COUNTS, Dimension
from gateway.storage.tables import Serial, metadata, outside

# Figures that last. What changed and is to be counted (anew): written by triggers of `calls`, `orders`,
# `order_statuses` and `queue_entries` in the transaction of the change; and days that are to be counted anew.
figure_changes = Table(
    "figure_changes",
    metadata,
    Column("seq", Serial, primary_key=True, autoincrement=True),
    # "entry" and "call" (subject: id of the call), "order" (its id), "day", "month" (when it begins).
    Column("kind", String(8), nullable=False),
    Column("subject", Text, nullable=False),
)

# What each queue entry, call and order counts for (domain.reports): a figure's rows are found by it.
figure_items = Table(
    "figure_items",
    metadata,
    Column("subject", outside(200), primary_key=True),
    Column("kind", String(8), primary_key=True),
    Column("part", Text, primary_key=True),
    Column("at", Double, nullable=False, index=True),
    # When the hour and the day begin in which it counts.
    Column("hour", BigInteger, nullable=False),
    Column("day", BigInteger, nullable=False),
    Column("line", outside(64), nullable=False),
    *(Column(name.value, Text, nullable=False) for name in Dimension),
    # When it counts differently though nothing more is told of it: a deadline passes.
    Column("recount_at", Double),
    *(Column(name, Integer, nullable=False, server_default="0") for name in COUNTS),
    Index(
        "ix_figure_items_recount",
        "recount_at",
        sqlite_where=text("recount_at IS NOT NULL"),
        postgresql_where=text("recount_at IS NOT NULL"),
    ),
    sqlite_with_rowid=False,
)

# Their sums by hour, day, month and year, kept for ever: of each line, as a whole (`dimension` is empty) and,
# but for hours, by each dimension alone.
figures = Table(
    "figures",
    metadata,
    Column("dimension", String(10), primary_key=True),
    Column("grain", String(8), primary_key=True),
    # POSIX seconds; in the time zone of the configuration.
    Column("start", BigInteger, primary_key=True, autoincrement=False),
    Column("line", outside(64), primary_key=True),
    Column("value", Text, primary_key=True),
    *(Column(name, BigInteger, nullable=False, server_default="0") for name in COUNTS),
    # Of one value, over the years.
    Index("ix_figures_value", "dimension", "value", "grain", "start"),
    sqlite_with_rowid=False,
)

# One row: what the figures were counted by (rules and version). Whoever counts holds it.
figure_state = Table(
    "figure_state",
    metadata,
    Column("name", String(16), primary_key=True),
    Column("made_of", String(64), nullable=False),
)

# Reports sent by schedule: each due one once.
report_runs = Table(
    "report_runs",
    metadata,
    Column("report", String(64), primary_key=True),
    # When it was due, POSIX seconds.
    Column("due_at", BigInteger, primary_key=True, autoincrement=False),
    Column("claimed_by", Text, nullable=False, server_default=""),
    Column("claimed_until", Double, nullable=False, server_default="0"),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("next_attempt_at", Double, nullable=False, server_default="0"),
    Column("sent_at", Double),
    Column("error", Text),
)
