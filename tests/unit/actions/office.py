"""An outbox with a real store, and a clock that a test turns; what the engine would do with a report is done here."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

from whenever import Instant

from apsis.actions.outbox import Outbox
from apsis.actions.sending import Sender
from apsis.actions.webhook import Webhooks
from apsis.domain.action import Delivery, Email, Message, Webhook
from apsis.engine.ports import SaveDelivery, Secrets, SettleDelivery
from apsis.lib.clock import VirtualClock
from apsis.lib.tasks import Tasks
from apsis.service.secrets import ConfiguredSecrets, FromFile
from apsis.store.store import SqliteStore
from tests.support.jobs import EPOCH
from tests.unit.agents.machine import until

EVENT: Mapping[str, Any] = {
    "run_id": "raaaaaaaaaaaaaaaa",
    "job_id": "etl/load",
    "args": {"date": "2026-11-24"},
    "state": "failure",
    "message": "exit code 3",
    "attempt": 1,
    "schedule_time": "2026-11-24T11:59:00.000Z",
    "time": "2026-11-24T12:00:00.000Z",
    "labels": ["etl"],
    "revision": "a01b2c3",
}


def a_delivery(message: Message, /, key: str = "r1-3-0", tries: int = 0, **event: Any) -> Delivery:
    return Delivery(key, "raaaaaaaaaaaaaaaa", message, {**EVENT, **event}, EPOCH, tries)


def secrets_of(directory: Path, **values: str) -> ConfiguredSecrets:
    """Return secrets with these values, `_` in a name for `-`."""
    sources = {}
    for name, value in values.items():
        path = directory / f"secret-{name}"
        path.write_text(value)
        sources[name.replace("_", "-")] = FromFile(path)
    return ConfiguredSecrets(sources, VirtualClock(EPOCH))


class Office:
    """A store that is one server's until that ends, and what was reported of each try."""

    def __init__(self, directory: Path, secrets: Secrets | None = None) -> None:
        self.directory = directory
        self.secrets = secrets or secrets_of(directory)
        self.clock = VirtualClock(EPOCH)
        self.reports: list[tuple[str, str | None, Instant | None]] = []

    @contextlib.asynccontextmanager
    async def open(self, senders: Mapping[type[Message], Sender] | None = None) -> AsyncIterator["Desk"]:
        """Run a server's outbox."""
        store = SqliteStore(self.directory / "state")
        hooks: Mapping[type[Message], Sender] = {Webhook: Webhooks(self.secrets, None, self.clock)}
        desk = Desk(self, store, Outbox(store, senders or hooks, self.clock))
        tasks = Tasks("test")
        running = tasks.start(desk.outbox.run(desk.report), "outbox")
        try:
            yield desk
            assert not running.done()
        finally:
            await tasks.close()
            store.close()


class Desk:
    """What runs for one server's life."""

    def __init__(self, office: Office, store: SqliteStore, outbox: Outbox) -> None:
        self.office = office
        self.store = store
        self.outbox = outbox

    async def give(self, *deliveries: Delivery) -> None:
        await self.store.commit([SaveDelivery(each) for each in deliveries])
        self.outbox.ring()

    async def report(self, delivery: Delivery, error: str | None, retry_at: Instant | None) -> None:
        await self.store.commit([SettleDelivery(delivery.key, error, retry_at)])
        self.office.reports.append((delivery.key, error, retry_at))

    async def reported(self, count: int) -> list[tuple[str, str | None, Instant | None]]:
        """Wait for so many reports, and return them all."""
        await until(lambda: len(self.office.reports) >= count)
        return self.office.reports

    async def next_try(self) -> float:
        """Turn the clock to the next message's time, if there is one; return the seconds that this is ahead."""
        at = await self.store.next_delivery_at(EPOCH.subtract(seconds=1))
        if at is None:
            return 0.0
        pause = (at - self.office.clock.now()).total("seconds")
        await self.office.clock.advance_to(at)
        return pause

    async def left(self) -> int:
        """Return how many messages the store still has."""
        far = EPOCH.add(hours=24 * 365)
        return len(await self.store.deliveries(far, 1000))


__all__ = ["EVENT", "Desk", "Email", "Office", "a_delivery", "asyncio", "secrets_of", "until"]
