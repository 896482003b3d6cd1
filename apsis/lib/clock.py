"""The only place that reads a clock or sleeps: the system's, and a virtual one that a test or a simulation turns."""

import asyncio
import heapq
import itertools
import math
import time
from typing import Final, Protocol

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
    """A clock that stands still until `advance_to` turns it; sleepers wake in order of their time.

    Wall time and monotonic time pass together; `jump_to` sets wall time alone.
    """

    def __init__(self, start: Instant) -> None:
        self._elapsed_ms = 0
        self._ahead_ms = to_ms(start)
        self._sleepers: list[tuple[int, int, asyncio.Future[None]]] = []
        self._looking: dict[asyncio.Future[None], None] = {}
        self._sequence = itertools.count()

    def now(self) -> Instant:
        """Return the wall time that the clock was turned or set to."""
        return from_ms(self._elapsed_ms + self._ahead_ms)

    def monotonic(self) -> float:
        """Return the seconds by which the clock was turned since it was made."""
        return self._elapsed_ms / 1000

    async def sleep(self, seconds: float) -> None:
        """Wait until the clock is turned that far."""
        await self._sleep_until(self._elapsed_ms + math.ceil(seconds * 1000))

    async def wait(self, event: asyncio.Event, until: Instant | None) -> None:
        """Wait for the event, or until the clock is turned to `until`, or set: as a real one would look soon."""
        if event.is_set() or (until is not None and until <= self.now()):
            await asyncio.sleep(0)  # noqa: TID251 - this is the place
            return
        come = asyncio.get_running_loop().create_future()
        self._looking[come] = None
        if until is not None:
            # Not a part of a millisecond too early, or whoever waits would wait again for no time at all.
            self._push(-(-until.timestamp(unit="nanosecond") // 1_000_000) - self._ahead_ms, come)
        rung = asyncio.ensure_future(event.wait())
        try:
            await asyncio.wait((rung, come), return_when=asyncio.FIRST_COMPLETED)
        finally:
            rung.cancel()
            come.cancel()
            self._looking.pop(come, None)

    async def advance_to(self, when: Instant) -> None:
        """Turn the clock to `when`, stopping at each sleeper's time and letting everything settle there."""
        await settle()
        while self.turn_towards(when):
            await settle()
        await settle()

    async def advance(self, seconds: float) -> None:
        """Turn the clock forward by `seconds`."""
        await self.advance_to(self.now() + TimeDelta(seconds=seconds))

    def turn_towards(self, when: Instant) -> bool:
        """Turn the clock to the next sleeper's time and wake it; if none is left before `when`, to that: False."""
        last = to_ms(when) - self._ahead_ms
        while self._sleepers and self._sleepers[0][0] <= last:
            at, _, future = heapq.heappop(self._sleepers)
            if not future.done():
                self._elapsed_ms = max(self._elapsed_ms, at)
                future.set_result(None)
                return True
        self._elapsed_ms = max(self._elapsed_ms, last)
        return False

    def jump_to(self, when: Instant) -> None:
        """Set wall time alone, back or forth, as NTP or a suspend does; whoever waits for a time looks again."""
        self._ahead_ms = to_ms(when) - self._elapsed_ms
        for future in self._looking:
            if not future.done():
                future.set_result(None)

    async def _sleep_until(self, elapsed_ms: int) -> None:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._push(elapsed_ms, future)
        await future

    def _push(self, elapsed_ms: int, future: asyncio.Future[None]) -> None:
        heapq.heappush(self._sleepers, (elapsed_ms, next(self._sequence), future))


SETTLE_ROUNDS: Final = 40
"""Turns of the event loop that any chain of our callbacks ends within, when nothing waits on the outside."""


async def settle() -> None:
    """Let every task that can go on without time passing or the outside world go on."""
    for _ in range(SETTLE_ROUNDS):
        await asyncio.sleep(0)  # noqa: TID251 - this is the place
