"""Messages to be delivered, and what schedules owe nobody any more: their rows."""

import functools
import json
import sqlite3
from collections.abc import Sequence
from typing import Any, Final

from whenever import Instant

from apsis.domain.action import Delivery, ScheduleJob
from apsis.domain.missed import Missed
from apsis.engine.ports import SaveDelivery, SaveMissed, SettleDelivery
from apsis.lib.instant import from_ms, to_ms
from apsis.lib.seam import Failure, attempt
from apsis.spec.bound import dump_action, load_action
from apsis.store.queries import SQL

MISSED_KEPT: Final = 1_000
"""Spans of missed times that are kept of each job: a job that is late every day tells of three years."""


def save_delivery(connection: sqlite3.Connection, change: SaveDelivery) -> None:
    """Keep a message until it is settled."""
    delivery = change.delivery
    values = {
        "key": delivery.key,
        "run_id": delivery.run_id,
        "message": dump_action(delivery.message),
        "event": json.dumps(dict(delivery.event), ensure_ascii=False),
        "created": to_ms(delivery.created),
        "tries": delivery.tries,
    }
    connection.execute(SQL["insert_delivery"], values)


def settle_delivery(connection: sqlite3.Connection, change: SettleDelivery) -> None:
    """Count a try, and drop the message or put it off."""
    connection.execute(SQL["count_delivery"], {"key": change.key, "error": change.error})
    if change.retry_at is None:
        connection.execute(SQL["delete_delivery"], (change.key,))
    else:
        values = {"key": change.key, "error": change.error, "retry_at": to_ms(change.retry_at)}
        connection.execute(SQL["retry_delivery"], values)


def due_deliveries(
    connection: sqlite3.Connection, now: Instant, limit: int
) -> tuple[Sequence[Delivery], Sequence[tuple[str, str]]]:
    """Return the messages that are due, longest due first, and (error, key) of those that cannot be read."""
    deliveries, unreadable = [], []
    for row in connection.execute(SQL["due_deliveries"], (to_ms(now), limit)):
        delivery = attempt("row", f"delivery {row['key']}", functools.partial(_delivery_of, row))
        if isinstance(delivery, Failure):
            unreadable.append((f"cannot be read: {delivery.message}", row["key"]))
        else:
            deliveries.append(delivery)
    return deliveries, unreadable


def save_missed(connection: sqlite3.Connection, change: SaveMissed) -> None:
    """Keep a span of missed times, and of its job's only the newest."""
    missed = change.missed
    times = (to_ms(missed.first), to_ms(missed.last))
    connection.execute(
        SQL["insert_missed"],
        (missed.job_id, missed.schedule, missed.count, *times, missed.reason, to_ms(missed.at)),
    )
    connection.execute(SQL["trim_missed"], {"job_id": missed.job_id, "keep": MISSED_KEPT})


def missed_of(row: sqlite3.Row) -> Missed:
    """Return the missed span of a row."""
    first, last, at = (from_ms(row[name]) for name in ("first", "last", "at"))
    return Missed(row["job_id"], row["schedule"], row["count"], first, last, row["reason"], at)


def _delivery_of(row: sqlite3.Row) -> Delivery:
    event: dict[str, Any] = json.loads(row["event"])
    message = load_action(row["message"])
    if isinstance(message, ScheduleJob):
        raise ValueError("an action of type schedule is nothing to be delivered")
    return Delivery(row["key"], row["run_id"], message, event, from_ms(row["created"]), row["tries"])
