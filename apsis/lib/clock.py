"""The only place that reads a clock or sleeps: the system's, and a virtual one that a test or a simulation turns."""

import asyncio
import heapq
import itertools
import time
from typing import Any, Final, Protocol

from whenever import Instant, TimeDelta

from apsis.lib.instant import from_ms, to_ms

LONGEST_WAIT_S: Final = 1.0
"""Wall time may jump (NTP, suspend), so no wait believes in a plan for longer than this."""


class Clock(Protocol):
    """Wall time for schedules, monotonic time for durations."""

    def now(self) -> Instant:
        """Return wall time in whole milliseconds."""
        ...

    def monotonic(self) -> float:
        """Return seconds that never go back, from an arbitrary start."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        ...

    async def wait(self, event: asyncio.Event, until: Instant | None) -> None:
        """Return when `event` is set or `until` has come, whichever is first; sooner is allowed."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> Instant:
        """Return wall time in whole milliseconds."""
        return from_ms(time.time_ns() // 1_000_000)

    def monotonic(self) -> float:
        """Return the machine's monotonic seconds."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Wait for real."""
        await asyncio.sleep(seconds)  # noqa: TID251 - this is the place

    async def wait(self, event: asyncio.Event, until: Instant | None) -> None:
        """Wait for the event, at most until `until`, and never longer than LONGEST_WAIT_S."""
        seconds = LONGEST_WAIT_S
        if until is not None:
            seconds = min(seconds, (until - self.now()).total("seconds"))
        if seconds <= 0:
            await asyncio.sleep(0)  # noqa: TID251 - lets others run when the loop is busy with due runs
            return
        try:
            async with asyncio.timeout(seconds):
                await event.wait()
        except TimeoutError:
            pass


class VirtualClock:
    """A clock that stands still until `advance_to` turns it; sleepers wake in order of their time."""

    def __init__(self, start: Instant) -> None:
        self._now = start
        self._start = start
        self._set_by = TimeDelta.ZERO
        self._sleepers: list[tuple[int, int, asyncio.Future[None]]] = []
        self._set = asyncio.Event()
        self._sequence = itertools.count()

    def now(self) -> Instant:
        """Return the time the clock was turned to."""
        return self._now

    def monotonic(self) -> float:
        """Return virtual seconds since the clock was made."""
        return (self._now - self._start - self._set_by).total("seconds")

    async def sleep(self, seconds: float) -> None:
        """Wait until the clock is turned that far."""
        await self._until(self._now + TimeDelta(seconds=seconds))

    async def wait(self, event: asyncio.Event, until: Instant | None) -> None:
        """Wait for the event, or until the clock is turned to `until`."""
        if event.is_set() or (until is not None and until <= self._now):
            await asyncio.sleep(0)  # noqa: TID251 - this is the place
            return
        waiters: list[asyncio.Future[Any]] = [
            asyncio.ensure_future(event.wait()),
            asyncio.ensure_future(self._set.wait()),
        ]
        if until is not None:
            waiters.append(asyncio.ensure_future(self._until(until)))
        try:
            await asyncio.wait(waiters, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for waiter in waiters:
                waiter.cancel()

    async def advance_to(self, when: Instant) -> None:
        """Turn the clock to `when`, stopping at each sleeper's time and letting everything settle there."""
        await settle()
        while self._sleepers and self._sleepers[0][0] <= to_ms(when):
            at, _, future = heapq.heappop(self._sleepers)
            if future.done():
                continue
            self._now = max(self._now, from_ms(at))
            future.set_result(None)
            await settle()
        self._now = max(self._now, when)
        await settle()

    async def advance(self, seconds: float) -> None:
        """Turn the clock forward by `seconds`."""
        await self.advance_to(self._now + TimeDelta(seconds=seconds))

    def jump_to(self, when: Instant) -> None:
        """Set the clock as NTP or a suspend would, back or forth: monotonic time stands still.

        Who sleeps sleeps on; who waits looks again, as everybody does within a second.
        """
        self._set_by += when - self._now
        self._now = when
        self._set.set()
        self._set = asyncio.Event()

    async def _until(self, when: Instant) -> None:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (to_ms(when), next(self._sequence), future))
        await future


SETTLE_ROUNDS: Final = 40
"""Turns of the event loop that any chain of our callbacks ends within, when nothing waits on the outside."""


async def settle() -> None:
    """Let every task that can go on without time passing or the outside world go on."""
    for _ in range(SETTLE_ROUNDS):
        await asyncio.sleep(0)  # noqa: TID251 - this is the place
