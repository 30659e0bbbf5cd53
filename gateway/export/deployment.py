"""Tables on the deployment itself: accounts, work-order endpoints, where orders come from. Pure."""

from collections.abc import Mapping

from msgspec import Struct

from domain.deployment import EndpointState, Place
from gateway.export.cells import Table
from gateway.export.tables import TableContext
from gateway.export.words import ALL, OPEN, ROLES, UNCATEGORISED


class AccountRow(Struct, frozen=True):
    """An account that may sign in."""

    username: str
    role: str
    agent_id: str | None
    disabled: bool


def accounts(context: TableContext) -> Table[AccountRow]:
    """The accounts, without anything secret."""
    column, of = context.column, context.words.of
    return context.table(
        "accounts",
        [
            column("account", lambda one: one.username, 20),
            column("role", lambda one: of(ROLES, one.role)),
            column("agent", lambda one: context.agent(one.agent_id)),
            column("state", lambda one: of(OPEN, not one.disabled)),
        ],
    )


def places(context: TableContext) -> Table[Place]:
    """Where the orders of the last few hours come from, and what they are about."""
    column = context.column

    def told(categories: Mapping[str, int]) -> str:
        most = sorted(categories.items(), key=lambda one: -one[1])
        return context.listed([f"{name or context.words(UNCATEGORISED)} {count}" for name, count in most])

    return context.table(
        "places",
        [
            column("town", lambda one: one.town, 18),
            column("village", lambda one: one.village, 18),
            column("count", lambda one: one.count, 8),
            column("categories", lambda one: told(one.categories), 40),
        ],
    )


def endpoints(context: TableContext) -> Table[EndpointState]:
    """Work-order systems, and how deliveries to them are going."""
    at, column = context.at, context.column

    def lines(one: EndpointState) -> str:
        return context.listed([context.line(line) for line in one.lines]) or context.words(ALL)

    return context.table(
        "endpoints",
        [
            column("endpoint", lambda one: one.id),
            column("host", lambda one: one.host, 24),
            column("lines", lines, 24),
            column("pending", lambda one: one.pending, 8),
            column("delivered_count", lambda one: one.delivered, 8),
            column("dead", lambda one: one.dead, 8),
            column("last_success", lambda one: at(one.last_success_at), 20),
            column("last_error", lambda one: one.last_error.text if one.last_error else "", 40),
        ],
    )
