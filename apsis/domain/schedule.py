"""What the engine needs of a schedule: the times between two instants, and what each provides."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from whenever import Instant

from apsis.domain.args import Args
from apsis.domain.policy import CatchUp


@dataclass(frozen=True, slots=True)
class Occurrence:
    """One time of a schedule and the values it provides for args, `schedule_time` included."""

    time: Instant
    provides: Mapping[str, str]


class Schedule(Protocol):
    """A rule for times. Kinds stand in `apsis.schedules`, one file each."""

    @property
    def enabled(self) -> bool:
        """Whether the schedule makes runs."""
        ...

    @property
    def args(self) -> Args:
        """Args given in the job file; they win over what the schedule provides."""
        ...

    @property
    def provided(self) -> frozenset[str]:
        """The names that every occurrence provides."""
        ...

    @property
    def jitter_ms(self) -> int:
        """How much later than its time, at most, a run of the schedule becomes due, in milliseconds."""
        ...

    @property
    def catch_up(self) -> CatchUp:
        """What becomes of times that passed while the server was down or the clock jumped."""
        ...

    def between(self, start: Instant, end: Instant) -> Iterator[Occurrence]:
        """Yield the occurrences with start < time <= end, ascending, each the same wherever `start` was."""
        ...

    def describe(self) -> str:
        """Say the schedule in words, without its args: `daily at 09:30 America/New_York on Mon-Fri`."""
        ...
