"""Messages on their way: taken from the store when due, sent, and what became of each try reported to the engine.

The store has every message until the report of its end is durable, so a crash loses none; what was under way then is
sent again, under the same key. Nothing else is remembered here.
"""

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final, Protocol

from whenever import Instant, TimeDelta

from apsis.actions.sending import Problem, Sender
from apsis.domain.action import Delivery, Message
from apsis.domain.errors import ApsisError, StoreError
from apsis.domain.run import share_of
from apsis.lib.bell import Bell
from apsis.lib.clock import Clock
from apsis.lib.seam import failure
from apsis.lib.tasks import Tasks

log = logging.getLogger(__name__)

AT_ONCE: Final = 8
"""Destinations that are sent to at the same time."""
PAGE: Final = 100
"""Messages looked at together: one destination that hangs costs the others one time-out for so many of its own."""
PAUSES_S: Final = (5.0, 30.0, 120.0, 600.0, 3600.0)
"""Before the second try, the third, …; the last one then stays."""
JITTER: Final = 0.2
"""The share of a pause that is added by a hash: what failed together is not tried together."""
AGAIN_S: Final = 5.0
"""Pause when the store does not answer or the engine does not take a report."""

Report = Callable[[Delivery, str | None, Instant | None], Awaitable[None]]
"""Told of each try: the error, None if it was delivered; and when the next one is, None if there is none."""


class Deliveries(Protocol):
    """What the outbox needs of the store. Both raise StoreError."""

    async def deliveries(self, now: Instant, limit: int) -> Sequence[Delivery]:
        """Return at most `limit` messages that are due, longest due first."""
        ...

    async def next_delivery_at(self, after: Instant) -> Instant | None:
        """Return when the next message becomes due after `after`; None: there is none."""
        ...


class Outbox:
    """Delivers what the store holds; see `engine.ports.Outbox`. `senders` is the table of the kinds of messages."""

    def __init__(self, store: Deliveries, senders: Mapping[type[Message], Sender], clock: Clock) -> None:
        self._store = store
        self._senders = senders
        self._clock = clock
        self._bell = Bell()
        self._tasks = Tasks("outbox")
        self._under_way: set[str] = set()

    def ring(self) -> None:
        """Look what is there to be delivered; never blocks."""
        self._bell.ring()

    async def run(self, report: Report) -> None:
        """Deliver until cancelled; what is under way then is delivered again by the next server."""
        try:
            while True:
                rung = self._bell.next_ring
                until = await self._look(report)
                while not rung.is_set() and (until is None or self._clock.now() < until):
                    await self._clock.wait(rung, until)
        finally:
            await self._tasks.close()

    async def _look(self, report: Report) -> Instant | None:
        """Begin to send what is due, and return when to look again if nobody rings."""
        # Taken before reading: what the page says of a destination that was busy then may be over by now.
        busy = frozenset(self._under_way)
        now = self._clock.now()
        try:
            due = await self._store.deliveries(now, PAGE)
            next_at = await self._store.next_delivery_at(now)
        except StoreError as error:
            log.error("no_deliveries: messages to be delivered cannot be read: %s", error.message)
            return now + TimeDelta(seconds=AGAIN_S)
        except Exception as error:  # noqa: BLE001 - whatever breaks here, messages are delivered once it works again
            failure("action", "messages to be delivered", error)
            return now + TimeDelta(seconds=AGAIN_S)
        for destination, deliveries in self._by_destination(due).items():
            if destination not in busy and len(self._under_way) < AT_ONCE:
                self._under_way.add(destination)
                self._tasks.start(self._deliver(destination, deliveries, report), destination)
        # What is due already is under way or waits for a slot, and the end of either rings.
        return next_at

    def _by_destination(self, due: Sequence[Delivery]) -> Mapping[str, Sequence[Delivery]]:
        groups: dict[str, list[Delivery]] = {}
        for delivery in due:
            destination = self._senders[type(delivery.message)].destination(delivery.message)
            groups.setdefault(destination, []).append(delivery)
        return groups

    async def _deliver(self, destination: str, deliveries: Sequence[Delivery], report: Report) -> None:
        """Send to one destination in order; once it is away, what else is due for it is put off behind that."""
        away: Problem | None = None
        not_before = self._clock.now()
        try:
            for delivery in deliveries:
                problem = away or await self._try(delivery)
                retry_at = self._retry_at(delivery, problem) if problem is not None else None
                if problem is not None and problem.away:
                    away = problem
                    retry_at = not_before = max(retry_at, not_before) if retry_at is not None else not_before
                    retry_at = retry_at if delivery.tries + 1 < problem.tries else None
                await report(delivery, problem.words if problem is not None else None, retry_at)
        except Exception as error:  # noqa: BLE001 - the seam of one run's actions
            # Not noted, so it is sent again; but not at once, and not to a crowd.
            failure("action", f"report of a message to {destination}", error)
            await self._clock.sleep(AGAIN_S)
        finally:
            self._under_way.discard(destination)
            self._bell.ring()

    async def _try(self, delivery: Delivery) -> Problem | None:
        try:
            return await self._senders[type(delivery.message)].send(delivery)
        except ApsisError as error:
            return Problem(f"{error.message}. {error.help}" if error.help else error.message)
        except Exception as error:  # noqa: BLE001 - the seam of one run's actions
            return Problem(failure("action", f"message {delivery.key}", error).message)

    def _retry_at(self, delivery: Delivery, problem: Problem) -> Instant | None:
        made = delivery.tries + 1
        if made >= problem.tries:
            return None
        pause = PAUSES_S[min(made, len(PAUSES_S)) - 1]
        pause *= 1 + JITTER * share_of(delivery.key, f"try {made}")
        return self._clock.now() + TimeDelta(seconds=max(pause, problem.after_s))
