"""`hotline orders`: what work-order systems get."""

import asyncio
import json
import secrets
from typing import Annotated

import typer
from msgspec import structs
from yarl import URL

from domain.orders import Order
from gateway.cli.main import ConfigOption, app, err, out, read_settings
from gateway.factories import open_database
from gateway.settings import Settings, WorkOrderEndpoint
from workorders.rules import OrderRules

orders_app = typer.Typer(
    help="What work-order systems get of orders.", no_args_is_help=True, rich_markup_mode=None
)
app.add_typer(orders_app, name="orders")


@orders_app.command("schema")
def schema() -> None:
    """Print the JSON Schema of an order's document: what mappings are written over."""
    from workorders.delivery.payload import SCHEMA_FILE

    typer.echo(SCHEMA_FILE.read_text(encoding="utf-8"), nl=False)


@orders_app.command("presets")
def presets() -> None:
    """List the mappings that ship with the gateway."""
    from workorders.delivery import presets as shipped

    for name in shipped.names():
        out.print(f"{name:<16} {shipped.read(name)['description']}")


@orders_app.command("preview")
def preview(
    order: Annotated[str, typer.Argument(help="The order's id.")],
    endpoint: Annotated[str, typer.Option(help="The id of a [[workorders]].")],
    config: ConfigOption = None,
) -> None:
    """Print what would be sent of an order now: method, URL, headers with secrets masked, body.

    Nothing is sent. What only a reply can tell stands as <id of NAME>.
    """
    settings = read_settings(config)
    where = next((one for one in settings.workorders if one.id == endpoint), None)
    if where is None:
        known = ", ".join(one.id for one in settings.workorders) or "none ([[workorders]])"
        err.print(f"no endpoint {endpoint!r} in the configuration; known: {known}")
        raise typer.Exit(2)
    found = asyncio.run(_document(settings, where, order))
    if found is None:
        err.print(f"{order}: no such order, or its call is not there")
        raise typer.Exit(1)
    _print(settings, where, *found)


async def _document(
    settings: Settings, endpoint: WorkOrderEndpoint, order_id: str
) -> tuple[Order, bytes, str | None, bool] | None:
    """The order, its document as it would leave now, its number there, and whether it is there."""
    from gateway.storage.calls import CallRepository
    from gateway.storage.orders import OrderRepository
    from gateway.storage.outbox import SqlOutbox
    from workorders.submission import document_of

    database = open_database(settings)
    try:
        await database.require_newest()
        order = await OrderRepository(database).get_order(order_id)
        body = (
            None
            if order is None
            else await document_of(order, CallRepository(database), _without_keys(settings), endpoint.id)
        )
        if order is None or body is None:
            return None
        number, stored = await SqlOutbox(database).known_of(order_id, endpoint.id)
        return order, body, number, stored
    finally:
        await database.close()


def _without_keys(settings: Settings) -> OrderRules:
    """The rules of orders; links look as they would and open nothing."""
    from gateway.modules.orders import order_rules
    from workorders.delivery.links import DocumentLinks

    rules = order_rules(settings)
    if rules.links is None:
        return rules
    links = DocumentLinks(str(settings.links.url), secrets.token_hex(), settings.links.days)
    return structs.replace(rules, links=links)


def _print(
    settings: Settings,
    endpoint: WorkOrderEndpoint,
    order: Order,
    body: bytes,
    number: str | None,
    stored: bool,
) -> None:
    from gateway.settings.mapping import mapping_of
    from workorders.delivery.mapping.handover import Job
    from workorders.delivery.mapping.preview import preview as previewed

    try:
        mapping = mapping_of(endpoint, settings.timezone)
    except ValueError as error:
        err.print(f"workorders {endpoint.id}: {error}")
        raise typer.Exit(2) from None
    key = f"{order.id}.{order.revision}"
    shown = previewed(
        mapping, str(endpoint.url), Job(body, key, number, unsure=stored and number is None, stored=stored)
    )
    for sending in shown.sendings:
        if sending.looks:
            continue
        url = URL(sending.url, encoded=True)
        out.print(f"{sending.method} {url.with_password('********') if url.password else url}")
        for name, value in sending.headers.items():
            out.print(f"{name}: {value}")
        if mapping.spec.sign and sending.body is not None:
            out.print(f"webhook-id: {mapping.identity(key, sending.name)}")
            out.print("webhook-timestamp, webhook-signature: when it is sent")
        out.print(f"\n{_readable(sending.body)}\n" if sending.body is not None else "")
    if shown.outcome.failure is not None:
        err.print(shown.outcome.failure.text)
        raise typer.Exit(1)


def _readable(body: bytes) -> str:
    try:
        return json.dumps(json.loads(body), ensure_ascii=False, indent=2)
    except ValueError:
        return body.decode("utf-8", "replace")
