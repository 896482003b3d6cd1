"""All waiting for time: two heaps, one of instants and one of elapsed seconds."""

import heapq
from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

from whenever import Instant, TimeDelta

from apsis.domain.action import DeadlineKind
from apsis.lib.instant import from_ms, to_ms

TIDY_FROM: Final = 10_000
"""So many timers are kept before those that mean nothing any more are looked for."""


class RunDue(NamedTuple):
    """A scheduled run's time has come."""

    run_id: str
    attempt: int


class PlanDue(NamedTuple):
    """A job's schedules are to be planned further, if `at` is still what was agreed."""

    job_id: str
    at: Instant


class RemakeDue(NamedTuple):
    """A job has changed, and what it has coming is to be made anew: at once, even if the clock is set back."""

    job_id: str


class CatchUpDue(NamedTuple):
    """A job's times passed while nobody was there; its schedules say which of them count."""

    job_id: str


class ProgramLate(NamedTuple):
    """A program has run as long as it may."""

    run_id: str
    attempt: int
    limit_s: float


class GraceOver(NamedTuple):
    """A program was given its time to end."""

    run_id: str
    attempt: int


class WaitedLong(NamedTuple):
    """A run has waited as long as it may."""

    run_id: str
    attempt: int
    limit_s: float


class BehindSchedule(NamedTuple):
    """A run has not started for so long after its schedule time that it must not any more."""

    run_id: str
    attempt: int
    limit_s: float


class ConditionLate(NamedTuple):
    """A run has waited as long as it may for one of its conditions."""

    run_id: str
    attempt: int
    number: int
    limit_s: float


class ProbeDue(NamedTuple):
    """The outside is to be asked again for one of a run's conditions."""

    run_id: str
    attempt: int
    number: int


class DeadlineDue(NamedTuple):
    """A run is late if it has not come far enough."""

    run_id: str
    attempt: int
    kind: DeadlineKind
    words: str


OfRun = RunDue | ProgramLate | GraceOver | WaitedLong | BehindSchedule | ConditionLate | ProbeDue | DeadlineDue
Timer = PlanDue | RemakeDue | CatchUpDue | OfRun


class Timers:
    """What is due when. Timers are not taken back: who gets one looks whether it still means something."""

    def __init__(self) -> None:
        self._wall: list[tuple[int, int, Timer]] = []
        self._elapsed: list[tuple[int, int, Timer]] = []
        self._sequence = 0
        self._tidy_at = TIDY_FROM

    def __len__(self) -> int:
        return len(self._wall) + len(self._elapsed)

    def at(self, when: Instant, timer: Timer) -> None:
        """Fire when wall time reaches `when`."""
        self._sequence += 1
        heapq.heappush(self._wall, (to_ms(when), self._sequence, timer))

    def after(self, monotonic: float, timer: Timer) -> None:
        """Fire when the monotonic clock reaches `monotonic` seconds, whatever happens to wall time."""
        self._sequence += 1
        heapq.heappush(self._elapsed, (_ms(monotonic), self._sequence, timer))

    def due(self, now: Instant, monotonic: float) -> Iterator[Timer]:
        """Take out what is due, oldest first; what is added meanwhile and is due comes too."""
        now_ms, elapsed_ms = to_ms(now), _ms(monotonic)
        while True:
            if self._elapsed and self._elapsed[0][0] <= elapsed_ms:
                yield heapq.heappop(self._elapsed)[2]
            elif self._wall and self._wall[0][0] <= now_ms:
                yield heapq.heappop(self._wall)[2]
            else:
                return

    def has_due(self, now: Instant, monotonic: float) -> bool:
        """Return whether `due` would give something."""
        wall = bool(self._wall) and self._wall[0][0] <= to_ms(now)
        return wall or (bool(self._elapsed) and self._elapsed[0][0] <= _ms(monotonic))

    def next_at(self, now: Instant, monotonic: float) -> Instant | None:
        """Return when the next timer is due, in wall time as it runs now; None: never."""
        times = []
        if self._wall:
            times.append(from_ms(self._wall[0][0]))
        if self._elapsed:
            times.append(now + TimeDelta(milliseconds=max(0, self._elapsed[0][0] - _ms(monotonic))))
        return min(times, default=None)

    def tidy(self, means_something: Callable[[Timer], bool]) -> None:
        """Let go of timers that mean nothing any more, once there are twice as many as were left the last time.

        Else the limits of runs that have ended long ago would be kept until they are over.
        """
        if len(self) < self._tidy_at:
            return
        self._wall = [item for item in self._wall if means_something(item[2])]
        self._elapsed = [item for item in self._elapsed if means_something(item[2])]
        heapq.heapify(self._wall)
        heapq.heapify(self._elapsed)
        self._tidy_at = max(TIDY_FROM, 2 * len(self))


def _ms(monotonic: float) -> int:
    """Return whole milliseconds, as instants have: what is due at a time is due when the clock shows it."""
    return round(monotonic * 1000)
