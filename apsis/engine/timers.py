"""All waiting for time: two heaps, one of instants and one of elapsed seconds."""

import heapq
from collections.abc import Iterator
from dataclasses import dataclass

from whenever import Instant, TimeDelta

from apsis.lib.instant import from_ms, to_ms


@dataclass(frozen=True, slots=True, order=True)
class RunDue:
    """A scheduled run's time has come."""

    run_id: str


@dataclass(frozen=True, slots=True, order=True)
class PlanDue:
    """A job's schedules are to be planned further, if `at` is still what was agreed."""

    job_id: str
    at: Instant


@dataclass(frozen=True, slots=True, order=True)
class RemakeDue:
    """A job has changed, and what it has coming is to be made anew: at once, even if the clock is set back."""

    job_id: str


@dataclass(frozen=True, slots=True, order=True)
class ProgramLate:
    """A program has run as long as it may."""

    run_id: str


@dataclass(frozen=True, slots=True, order=True)
class GraceOver:
    """A program was given its time to end."""

    run_id: str


Timer = RunDue | PlanDue | RemakeDue | ProgramLate | GraceOver


class Timers:
    """What is due when. Timers are never taken back: who gets one looks whether it still means something."""

    def __init__(self) -> None:
        self._wall: list[tuple[int, int, Timer]] = []
        self._elapsed: list[tuple[float, int, Timer]] = []
        self._sequence = 0

    def __len__(self) -> int:
        return len(self._wall) + len(self._elapsed)

    def at(self, when: Instant, timer: Timer) -> None:
        """Fire when wall time reaches `when`."""
        self._sequence += 1
        heapq.heappush(self._wall, (to_ms(when), self._sequence, timer))

    def after(self, monotonic: float, timer: Timer) -> None:
        """Fire when the monotonic clock reaches `monotonic` seconds, whatever happens to wall time."""
        self._sequence += 1
        heapq.heappush(self._elapsed, (monotonic, self._sequence, timer))

    def due(self, now: Instant, monotonic: float) -> Iterator[Timer]:
        """Take out what is due, oldest first; what is added meanwhile and is due comes too."""
        now_ms = to_ms(now)
        while True:
            if self._elapsed and self._elapsed[0][0] <= monotonic:
                yield heapq.heappop(self._elapsed)[2]
            elif self._wall and self._wall[0][0] <= now_ms:
                yield heapq.heappop(self._wall)[2]
            else:
                return

    def has_due(self, now: Instant, monotonic: float) -> bool:
        """Return whether `due` would give something."""
        wall = bool(self._wall) and self._wall[0][0] <= to_ms(now)
        return wall or (bool(self._elapsed) and self._elapsed[0][0] <= monotonic)

    def next_at(self, now: Instant, monotonic: float) -> Instant | None:
        """Return when the next timer is due, in wall time as it runs now; None: never."""
        times = []
        if self._wall:
            times.append(from_ms(self._wall[0][0]))
        if self._elapsed:
            times.append(now + TimeDelta(seconds=max(0.0, self._elapsed[0][0] - monotonic)))
        return min(times, default=None)
