"""The tables. Instants are POSIX seconds (double precision); structs are stored as JSON text.

The journal is append-only and the source of truth; the other tables are its working copies and the state of
work in progress. There are columns for whatever rows are looked up by; everything else is in `data`.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    text,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# SQLite assigns row numbers by itself only for INTEGER keys.
Serial = BigInteger().with_variant(Integer(), "sqlite")


def outside(length: int) -> Text:
    """The type of a name from outside, of any length. SQLite minds no lengths: its own stay."""
    return Text().with_variant(String(length), "sqlite")


journal = Table(
    "journal",
    metadata,
    Column("seq", Serial, primary_key=True, autoincrement=True),
    # The fact's own: a write that is repeated adds nothing. None before version 0.2.
    Column("id", BigInteger),
    Column("at", Double, nullable=False, index=True),
    Column("kind", String(40), nullable=False),
    Column("call_id", outside(160)),
    Column("data", Text, nullable=False),
    Index("uq_journal_id", "id", unique=True),
    # Of a call, and of none since some time.
    Index("ix_journal_call", "call_id", "at"),
)

# What has left the journal since it is old, packed (gateway.storage.packs): facts of several calls, or none.
# A fact is in the journal or in a pack. Read both through gateway.storage.journal_reader.
journal_packs = Table(
    "journal_packs",
    metadata,
    Column("first_seq", BigInteger, primary_key=True, autoincrement=False),
    Column("last_seq", BigInteger, nullable=False, index=True),
    Column("first_at", Double, nullable=False),
    # The latest; the first is the earliest, wherever it stands.
    Column("last_at", Double, nullable=False, index=True),
    # JSON list of the calls' ids, in the order in which the pack holds them.
    Column("calls", Text),
    Column("facts", Integer, nullable=False),
    Column("packed_at", Double, nullable=False),
    Column("form", Integer, nullable=False),
    Column("data", LargeBinary, nullable=False),
)
for _name, _which in (("of_calls", "calls IS NOT NULL"), ("of_none", "calls IS NULL")):
    Index(
        f"ix_journal_packs_{_name}",
        journal_packs.c.last_at,
        sqlite_where=text(_which),
        postgresql_where=text(_which),
    )

# Which packs hold facts of a call: one as a rule, more where it went on for hours.
journal_pack_calls = Table(
    "journal_pack_calls",
    metadata,
    Column("call_id", outside(160), primary_key=True),
    Column("first_seq", BigInteger, primary_key=True, autoincrement=False),
    sqlite_with_rowid=False,
)

# State folded from the journal up to `seq`, so that a start need not fold it anew. `made_of`: what the fold
# depends on beside the journal (code, configuration); another one's is of no use.
checkpoints = Table(
    "checkpoints",
    metadata,
    Column("name", String(40), primary_key=True),
    Column("made_of", String(64), primary_key=True),
    Column("seq", BigInteger, nullable=False),
    Column("at", Double, nullable=False),
    Column("data", LargeBinary, nullable=False),
)

# Facts that the journal could not take, as plain ASCII: whatever is in them, it can be looked at.
rejected_facts = Table(
    "rejected_facts",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("at", Double, nullable=False),
    Column("kind", String(40), nullable=False),
    Column("data", Text, nullable=False),
    Column("error", Text, nullable=False),
)

calls = Table(
    "calls",
    metadata,
    Column("id", outside(160), primary_key=True),
    Column("pbx", outside(64), nullable=False),
    Column("line", outside(64)),
    Column("direction", String(16), nullable=False, server_default="inbound"),
    Column("state", String(16), nullable=False),
    Column("end_reason", String(32)),
    Column("agent", outside(64)),
    # Everyone who talked, each id surrounded by spaces: " 1001 1002 ".
    Column("agents", Text, nullable=False, server_default=""),
    Column("caller_number", outside(64), nullable=False),
    Column("started_at", Double, nullable=False),
    Column("ended_at", Double),
    # What the caller answered at its end (`domain.ratings.Survey.code`).
    Column("survey", String(2), nullable=False, server_default=""),
    # Post-call processing: "", "pending" (recording, transcript, order), "done", "failed".
    Column("finish", String(16), nullable=False, server_default=""),
    Column("finish_error", Text),
    Column("data", Text, nullable=False),
    # Which process does that work, and until when nobody else does (by the database's clock).
    Column("claimed_by", Text, nullable=False, server_default=""),
    Column("claimed_until", Double, nullable=False, server_default="0"),
    Index("ix_calls_open", "pbx", "ended_at"),
    Index("ix_calls_finish", "finish"),
    # Those that lack something, few among many.
    Index(
        "ix_calls_lacking",
        "started_at",
        sqlite_where=text("finish_error IS NOT NULL"),
        postgresql_where=text("finish_error IS NOT NULL"),
    ),
    Index("ix_calls_started", "started_at", "id"),
    # Who called when: also whether they called shortly before.
    Index("ix_calls_caller", "caller_number", "started_at"),
)

# Queue entries as they stand now: what figures of waiting are counted from. Written with their facts.
queue_entries = Table(
    "queue_entries",
    metadata,
    Column("pbx", outside(64), primary_key=True),
    Column("uniqueid", outside(160), primary_key=True),
    Column("queue", outside(160), primary_key=True),
    Column("entered_at", Double, primary_key=True),
    Column("call_id", outside(160), nullable=False, index=True),
    Column("data", Text, nullable=False),
    Index("ix_queue_entries_entered", "entered_at"),
)

utterances = Table(
    "utterances",
    metadata,
    Column("id", outside(200), primary_key=True),
    Column("call_id", outside(160), nullable=False, index=True),
    Column("side", String(8), nullable=False),
    Column("start", Double, nullable=False),
    Column("data", Text, nullable=False),
)

# What was said on each call and entered in each order, in searchable form (domain.search): small rows apart
# from `data`, so that a search reads nothing else.
call_texts = Table(
    "call_texts",
    metadata,
    Column("call_id", outside(160), primary_key=True),
    Column("text", Text, nullable=False),
)

order_texts = Table(
    "order_texts",
    metadata,
    Column("order_id", String(36), primary_key=True),
    Column("category", String(100)),
    Column("town", String(100)),
    Column("unit", String(200)),
    Column("text", Text, nullable=False),
)

heard = Table(
    "heard",
    metadata,
    Column("call_id", outside(160), primary_key=True),
    Column("side", String(8), primary_key=True),
    # JSON list of [start, end] in call time that has been transcribed.
    Column("spans", Text, nullable=False),
)

orders = Table(
    "orders",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("call_id", outside(160), nullable=False),
    # Its place among the orders of its call, from 1.
    Column("number", Integer, nullable=False, server_default="1"),
    Column("line", outside(64), nullable=False),
    Column("state", String(16), nullable=False),
    Column("revision", Integer, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("updated_at", Double, nullable=False),
    # What became of the call (domain.outcomes), once known; and when a draft is sent by itself.
    Column("outcome", String(64)),
    Column("send_at", Double),
    # The latest that a work-order system told of it: the step, when it happened, all of it; and until when
    # the order is to be dealt with.
    Column("step", String(20)),
    Column("step_at", Double),
    Column("status", Text),
    Column("deadline", Double),
    # Place and category, if both are known: used to find earlier orders on the same matter.
    Column("matter", String(200), index=True),
    Column("data", Text, nullable=False),
    Index("uq_orders_call_number", "call_id", "number", unique=True),
    Index("ix_orders_created", "created_at", "id"),
    # Those that wait to be sent, few among many.
    Index(
        "ix_orders_send",
        "send_at",
        sqlite_where=text("send_at IS NOT NULL"),
        postgresql_where=text("send_at IS NOT NULL"),
    ),
    Index(
        "ix_orders_deadline",
        "deadline",
        sqlite_where=text("deadline IS NOT NULL"),
        postgresql_where=text("deadline IS NOT NULL"),
    ),
)

# What work-order systems told of orders: the mirror's timeline. The latest of each order stands on it, too.
order_statuses = Table(
    "order_statuses",
    metadata,
    # <endpoint>/<the message's id>: a message told twice is one.
    Column("id", outside(300), primary_key=True),
    Column("order_id", String(36), ForeignKey("orders.id"), nullable=False),
    Column("step", String(20), nullable=False),
    Column("at", Double, nullable=False),
    Column("received_at", Double, nullable=False),
    # When it was signed last, and the SHA-256 of its body: who repeats it without the secret is found out.
    Column("stamp", BigInteger, nullable=False),
    Column("digest", String(64), nullable=False),
    Column("data", Text, nullable=False),
    Index("ix_order_statuses_order", "order_id", "at"),
    Index(
        "ix_order_statuses_returned",
        "at",
        sqlite_where=text("step = 'returned'"),
        postgresql_where=text("step = 'returned'"),
    ),
)

status_polls = Table(
    "status_polls",
    metadata,
    # A work-order system that is asked, when that was last, and the newest change that it told of.
    Column("endpoint", outside(64), primary_key=True),
    Column("asked_at", Double, nullable=False),
    Column("changed_at", Double),
)

# What has changed, each thing once, in the order in which other systems are told; filled by triggers on
# `orders` (that have left), `calls` (that have ended) and `order_statuses`.
changes = Table(
    "changes",
    metadata,
    # "orders", "calls", "statuses"
    Column("kind", String(16), primary_key=True),
    Column("id", outside(300), primary_key=True),
    # None until somebody asks (gateway.storage.changes).
    Column("seq", BigInteger),
    Column("changed_at", Double, nullable=False),
    Index("ix_changes_seq", "kind", "seq"),
    Index(
        "ix_changes_new",
        "kind",
        "changed_at",
        sqlite_where=text("seq IS NULL"),
        postgresql_where=text("seq IS NULL"),
    ),
)

# The last number given, for each kind.
change_numbers = Table(
    "change_numbers",
    metadata,
    Column("name", String(16), primary_key=True),
    Column("last", BigInteger, nullable=False),
)

# Field input that is not (yet) valid: a reloaded desk shows it again.
order_drafts = Table(
    "order_drafts",
    metadata,
    Column("order_id", String(36), primary_key=True),
    Column("field", String(40), primary_key=True),
    Column("text", Text, nullable=False),
    Column("username", String(64), nullable=False),
    Column("at", Double, nullable=False),
)

deliveries = Table(
    "deliveries",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("order_id", String(36), ForeignKey("orders.id"), nullable=False),
    Column("endpoint", String(64), nullable=False),
    Column("key", String(120), nullable=False),
    Column("body", LargeBinary, nullable=False),
    # "pending", "delivered", "dead"
    Column("state", String(16), nullable=False),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("created_at", Double, nullable=False),
    Column("next_attempt_at", Double, nullable=False),
    Column("leased_until", Double, nullable=False, server_default="0"),
    Column("leased_by", Text, nullable=False, server_default=""),
    # How often it was taken up to be sent: what was before may have arrived.
    Column("claims", Integer, nullable=False, server_default="0"),
    # Of the order: an endpoint gets them in this order.
    Column("revision", Integer, nullable=False, server_default="1"),
    Column("tried_at", Double),
    Column("delivered_at", Double),
    Column("status", Integer),
    # Why the last attempt failed, in English and as a code with parameters (JSON).
    Column("error", Text),
    Column("reason", String(40), nullable=False, server_default=""),
    Column("params", Text, nullable=False, server_default="{}"),
    Column("external_id", String(200)),
    Index("ix_deliveries_created", "created_at", "id"),
    Index("uq_deliveries_key", "endpoint", "key", unique=True),
    Index("ix_deliveries_due", "state", "next_attempt_at"),
    Index(
        "ix_deliveries_number",
        "endpoint",
        "external_id",
        sqlite_where=text("external_id IS NOT NULL"),
        postgresql_where=text("external_id IS NOT NULL"),
    ),
    Index("ix_deliveries_order", "order_id", "endpoint", "revision"),
)

# Who serves what, where several processes share the database (PostgreSQL): instants by the database's clock.
leases = Table(
    "leases",
    metadata,
    Column("name", Text, primary_key=True),
    Column("holder", Text, nullable=False, server_default=""),
    # Where the holder's page is.
    Column("address", Text, nullable=False, server_default=""),
    # Counts up with every change of hands: what an earlier holder writes late is refused by it.
    Column("term", BigInteger, nullable=False, server_default="0"),
    Column("taken_at", Double, nullable=False, server_default="0"),
    Column("expires_at", Double, nullable=False, server_default="0"),
)

recordings = Table(
    "recordings",
    metadata,
    Column("id", outside(200), primary_key=True),
    Column("call_id", outside(160), nullable=False, index=True),
    Column("path", Text, nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("duration", Double, nullable=False),
    # Call time of the first sample.
    Column("offset", Double, nullable=False),
    Column("taken_at", Double, nullable=False),
)

# Until when each PBX was watched: what happened there since is recovered from its records.
pbx_watch = Table(
    "pbx_watch",
    metadata,
    Column("pbx", outside(64), primary_key=True),
    Column("watched_from", Double, nullable=False),
    Column("watched_until", Double, nullable=False),
)

accounts = Table(
    "accounts",
    metadata,
    Column("username", String(64), primary_key=True),
    Column("password_hash", Text, nullable=False),
    Column("role", String(16), nullable=False),
    Column("agent_id", String(64)),
    Column("disabled", Boolean, nullable=False, server_default="0"),
)

sessions = Table(
    "sessions",
    metadata,
    Column("token_hash", String(64), primary_key=True),
    Column("username", String(64), ForeignKey("accounts.username", ondelete="CASCADE"), nullable=False),
    Column("csrf", String(64), nullable=False),
    Column("created_at", Double, nullable=False),
    Column("expires_at", Double, nullable=False, index=True),
)

# What other systems ask with: the id is part of the token, of its secret only the SHA-256 is here.
api_tokens = Table(
    "api_tokens",
    metadata,
    Column("id", String(12), primary_key=True),
    Column("secret_hash", String(64), nullable=False),
    Column("name", String(64), nullable=False),
    Column("owner", String(64), nullable=False),
    # JSON lists; no lines: all of them.
    Column("scopes", Text, nullable=False),
    Column("lines", Text, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("created_by", String(64), nullable=False),
    Column("expires_at", Double),
    Column("revoked_at", Double),
    Column("last_used_at", Double),
)

# Matters that are no calls, as they were sent; each has an order.
intakes = Table(
    "intakes",
    metadata,
    # Of who sent it and of their key for it: sent twice, it is one.
    Column("id", String(36), primary_key=True),
    # SHA-256 of what was sent: the key cannot be used for anything else.
    Column("digest", String(64), nullable=False),
    # That of its order.
    Column("call_id", String(160), nullable=False, unique=True),
    Column("caller_number", Text().with_variant(String(64), "sqlite"), nullable=False, index=True),
    Column("at", Double, nullable=False),
    Column("data", Text, nullable=False),
)

# Commands by client-generated id: who asked for what, and the answer once there is one (idempotency).
commands = Table(
    "commands",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("at", Double, nullable=False, index=True),
    Column("username", String(64), nullable=False),
    # SHA-256 of name and arguments: reusing the id for anything else is refused.
    Column("digest", String(64), nullable=False),
    Column("answer", Text),
)

# Who did what, when, and the result. Append-only: triggers refuse to change or delete a row.
audit = Table(
    "audit",
    metadata,
    Column("seq", Serial, primary_key=True, autoincrement=True),
    Column("at", Double, nullable=False, index=True),
    Column("username", String(64), nullable=False, index=True),
    Column("role", String(16), nullable=False),
    Column("agent", String(64)),
    Column("command_id", String(36), nullable=False),
    Column("name", String(40), nullable=False),
    # JSON of the arguments, cut off at 2,000 characters.
    Column("args", Text, nullable=False),
    Column("ok", Boolean, nullable=False),
    Column("code", String(40), nullable=False),
    Column("reason", String(40), nullable=False, server_default=""),
    # JSON of the reason's parameters.
    Column("params", Text, nullable=False, server_default="{}"),
    Column("message", Text, nullable=False),
)
