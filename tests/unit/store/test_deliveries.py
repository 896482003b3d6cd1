"""Deliveries and missed spans in the real store: counted, bounded, and with rows that cannot be read."""

import asyncio
import sqlite3

import pytest

from apsis.domain.action import Delivery, Email, Webhook
from apsis.domain.missed import Missed
from apsis.engine.ports import SaveDelivery, SaveMissed, SettleDelivery
from apsis.store.deliveries import MISSED_KEPT
from apsis.store.store import SqliteStore
from tests.support.jobs import EPOCH


@pytest.fixture
def store(tmp_path):
    sqlite = SqliteStore(tmp_path)
    yield sqlite
    sqlite.close()


def rows(store: SqliteStore, sql: str) -> list[tuple]:
    with sqlite3.connect(store._database.path) as foreign:
        found = foreign.execute(sql).fetchall()
    foreign.close()
    return found


def test_tries_are_counted_by_type_of_message(store):
    async def main():
        messages = {"a": Email(("ada@example.org",)), "b": Webhook("http://x/"), "c": Webhook("http://y/")}
        await store.commit([SaveDelivery(Delivery(key, "r1", m, {}, EPOCH)) for key, m in messages.items()])
        await store.commit([SettleDelivery("a", None), SettleDelivery("b", "refused", EPOCH.add(seconds=1))])
        await store.commit([SettleDelivery("b", None), SettleDelivery("c", "no such host")])
        await store.commit([SettleDelivery("c", None)])
        assert rows(store, "select * from delivery_count") == [("email", 1, 0), ("webhook", 1, 2)]
        assert rows(store, "select * from delivery") == []

    asyncio.run(main())


def test_a_message_that_cannot_be_read_is_set_aside_and_holds_up_no_other(store):
    async def main():
        await store.commit(
            [SaveDelivery(Delivery(key, "r1", Webhook("http://x/"), {}, EPOCH)) for key in ("bad", "good")]
        )
        rows(store, """update delivery set message = '{"type":"pigeon"}' where key = 'bad'""")
        assert [d.key for d in await store.deliveries(EPOCH, 10)] == ["good"]
        await store.commit([SettleDelivery("good", None)])
        assert await store.next_delivery_at(EPOCH.subtract(seconds=1)) is None
        ((key, next_at, error),) = rows(store, "select key, next_at, error from delivery")
        assert (key, next_at) == ("bad", None)
        assert "pigeon" in error

    asyncio.run(main())


def test_only_the_newest_missed_spans_of_a_job_are_kept(store):
    async def main():
        more = 20
        spans = [Missed("etl", "daily", 1, EPOCH, EPOCH, str(n), EPOCH) for n in range(MISSED_KEPT + more)]
        await store.commit([SaveMissed(Missed("other", "daily", 1, EPOCH, EPOCH, "x", EPOCH))])
        await store.commit([SaveMissed(span) for span in spans])
        kept = await store.missed("etl", MISSED_KEPT * 2)
        assert [span.reason for span in kept] == [str(n) for n in reversed(range(more, MISSED_KEPT + more))]
        assert len(await store.missed("other", 10)) == 1

    asyncio.run(main())
