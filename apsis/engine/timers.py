"""All waiting for time: two heaps, one of instants and one of elapsed seconds."""

import heapq
from collections.abc import Callable, Iterator
from itertools import chain
from typing import Final

from msgspec import Struct
from whenever import Instant, TimeDelta

from apsis.domain.action import DeadlineKind
from apsis.lib.instant import from_ms, to_ms

TIDY_FROM: Final = 10_000
"""So many timers are kept before those that mean nothing any more are looked for."""

TIDY_AT_ONCE: Final = 500
"""Timers that one turn looks at for it: under a millisecond, and more than a turn adds."""


class RunDue(Struct, frozen=True, gc=False):
    """A scheduled run's time has come."""

    run_id: str
    attempt: int


class PlanDue(Struct, frozen=True, gc=False):
    """A job's schedules are to be planned further, if `at` is still what was agreed."""

    job_id: str
    at: Instant


class RemakeDue(Struct, frozen=True, gc=False):
    """A job has changed, and what it has coming is to be made anew: at once, even if the clock is set back."""

    job_id: str


class CatchUpDue(Struct, frozen=True, gc=False):
    """A job's times passed while nobody was there; its schedules say which of them count."""

    job_id: str


class ProgramLate(Struct, frozen=True, gc=False):
    """A program has run as long as it may."""

    run_id: str
    attempt: int
    limit_s: float


class GraceOver(Struct, frozen=True, gc=False):
    """A program was given its time to end."""

    run_id: str
    attempt: int


class WaitedLong(Struct, frozen=True, gc=False):
    """A run has waited as long as it may."""

    run_id: str
    attempt: int
    limit_s: float


class BehindSchedule(Struct, frozen=True, gc=False):
    """A run has not started for so long after its schedule time that it must not any more."""

    run_id: str
    attempt: int
    limit_s: float


class ConditionLate(Struct, frozen=True, gc=False):
    """A run has waited as long as it may for one of its conditions."""

    run_id: str
    attempt: int
    number: int
    limit_s: float


class ProbeDue(Struct, frozen=True, gc=False):
    """The outside is to be asked again for one of a run's conditions."""

    run_id: str
    attempt: int
    number: int


class DeadlineDue(Struct, frozen=True, gc=False):
    """A run is late if it has not come far enough."""

    run_id: str
    attempt: int
    kind: DeadlineKind
    words: str


OfRun = RunDue | ProgramLate | GraceOver | WaitedLong | BehindSchedule | ConditionLate | ProbeDue | DeadlineDue
Timer = PlanDue | RemakeDue | CatchUpDue | OfRun


class _Heap:
    """Timers by time and, at one time, in the order of their coming."""

    def __init__(self) -> None:
        self._items: list[tuple[int, int, Timer]] = []
        self._unseen: list[tuple[int, int, Timer]] = []  # a heap too; those that tidying has not looked at yet

    def __len__(self) -> int:
        return len(self._items) + len(self._unseen)

    def __iter__(self) -> Iterator[Timer]:
        return (timer for _, _, timer in chain(self._items, self._unseen))

    def push(self, ms: int, sequence: int, timer: Timer) -> None:
        heapq.heappush(self._items, (ms, sequence, timer))

    def first_at(self) -> int | None:
        """Return when the first is due."""
        heap = self._first()
        return heap[0][0] if heap else None

    def pop(self) -> Timer:
        """Take out the first."""
        return heapq.heappop(self._first())[2]

    def _first(self) -> list[tuple[int, int, Timer]]:
        if self._unseen and (not self._items or self._unseen[0] < self._items[0]):
            return self._unseen
        return self._items

    def look_at_all(self) -> None:
        """Let `look` go through all that there are now."""
        self._items, self._unseen = self._unseen, self._items

    def look(self, means_something: Callable[[Timer], bool], most: int) -> int:
        """Look at some timers, and keep those that mean something; return how many more may be looked at."""
        while self._unseen and most:
            most -= 1
            item = self._unseen.pop()  # a heap without its last is a heap
            if means_something(item[2]):
                heapq.heappush(self._items, item)
        return most


class Timers:
    """What is due when. Timers are not taken back: who gets one looks whether it still means something."""

    def __init__(self) -> None:
        self._wall = _Heap()
        self._elapsed = _Heap()
        self._sequence = 0
        self._tidy_at = TIDY_FROM
        self._tidying = False

    def __len__(self) -> int:
        return len(self._wall) + len(self._elapsed)

    def __iter__(self) -> Iterator[Timer]:
        return chain(self._wall, self._elapsed)

    def at(self, when: Instant, timer: Timer) -> None:
        """Fire when wall time reaches `when`."""
        self._sequence += 1
        self._wall.push(to_ms(when), self._sequence, timer)

    def after(self, monotonic: float, timer: Timer) -> None:
        """Fire when the monotonic clock reaches `monotonic` seconds, whatever happens to wall time."""
        self._sequence += 1
        self._elapsed.push(_ms(monotonic), self._sequence, timer)

    def due(self, now: Instant, monotonic: float) -> Iterator[Timer]:
        """Take out what is due, oldest first; what is added meanwhile and is due comes too."""
        now_ms, elapsed_ms = to_ms(now), _ms(monotonic)
        while True:
            if _is_due(self._elapsed, elapsed_ms):
                yield self._elapsed.pop()
            elif _is_due(self._wall, now_ms):
                yield self._wall.pop()
            else:
                return

    def has_due(self, now: Instant, monotonic: float) -> bool:
        """Return whether `due` would give something."""
        return _is_due(self._wall, to_ms(now)) or _is_due(self._elapsed, _ms(monotonic))

    def next_at(self, now: Instant, monotonic: float) -> Instant | None:
        """Return when the next timer is due, in wall time as it runs now; None: never."""
        times = []
        if (wall := self._wall.first_at()) is not None:
            times.append(from_ms(wall))
        if (elapsed := self._elapsed.first_at()) is not None:
            times.append(now + TimeDelta(milliseconds=max(0, elapsed - _ms(monotonic))))
        return min(times, default=None)

    def tidy(self, means_something: Callable[[Timer], bool]) -> None:
        """Let go of timers that mean nothing any more, once there are twice as many as were left the last time.

        Else the limits of runs that have ended long ago would be kept until they are over. Each call looks at some.
        """
        if not self._tidying:
            if len(self) < self._tidy_at:
                return
            self._tidying = True
            self._wall.look_at_all()
            self._elapsed.look_at_all()
        if self._elapsed.look(means_something, self._wall.look(means_something, TIDY_AT_ONCE)):
            self._tidying = False
            self._tidy_at = max(TIDY_FROM, 2 * len(self))


def _is_due(heap: _Heap, ms: int) -> bool:
    first = heap.first_at()
    return first is not None and first <= ms


def _ms(monotonic: float) -> int:
    """Return whole milliseconds, as instants have: what is due at a time is due when the clock shows it."""
    return round(monotonic * 1000)
