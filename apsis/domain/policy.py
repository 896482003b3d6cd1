"""Bound policies: how long a run may take, how often it is tried, what it shares with others, when it is late."""

from dataclasses import dataclass
from typing import Final, Literal

from apsis.domain.action import DeadlineKind

RetryOn = Literal["failure", "error"]
PoolPolicy = Literal["wait", "skip", "replace"]
CatchUpMode = Literal["all", "latest", "none"]


@dataclass(frozen=True, slots=True)
class Limits:
    """The longest time, in seconds, that a run may wait, may be behind its schedule time before it starts, may run."""

    waiting_s: float | None = None
    since_schedule_s: float | None = None
    running_s: float | None = None


@dataclass(frozen=True, slots=True)
class Retry:
    """A run that ends in one of `on` is tried again, up to `count` times more, with growing pauses.

    `exit_codes`: only on these, if there are some. The pause before attempt n + 1 is `delay_s` x `factor`^(n - 1),
    at most `max_delay_s`, and up to `jitter_s` longer, by a hash.
    """

    count: int
    on: tuple[RetryOn, ...] = ("failure",)
    exit_codes: tuple[int, ...] = ()
    delay_s: float = 0.0
    factor: float = 1.0
    max_delay_s: float | None = None
    jitter_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Pool:
    """The run takes `slots` of a named pool while it is starting, running or stopping. `name` is behind its repo's."""

    name: str
    slots: int = 1
    policy: PoolPolicy = "wait"


@dataclass(frozen=True, slots=True)
class Deadlines:
    """When a run is late: not started or finished so many seconds after its schedule time, or running so long.

    `longer_than_s` is absolute, `longer_than_factor` times the usual duration of the job's successful runs.
    """

    start_by_s: float | None = None
    finish_by_s: float | None = None
    longer_than_s: float | None = None
    longer_than_factor: float | None = None

    @property
    def counts_from_schedule_time(self) -> bool:
        """Whether there is such a deadline."""
        return self.start_by_s is not None or self.finish_by_s is not None

    def after_schedule_time(self) -> tuple[tuple[DeadlineKind, float], ...]:
        """Return the kinds that are counted from the schedule time, with their seconds."""
        kinds: tuple[tuple[DeadlineKind, float | None], ...] = (
            ("start_by", self.start_by_s),
            ("finish_by", self.finish_by_s),
        )
        return tuple((kind, seconds) for kind, seconds in kinds if seconds is not None)


@dataclass(frozen=True, slots=True)
class CatchUp:
    """What becomes of a schedule's times that passed while nobody was there: `mode`, and none older than that."""

    mode: CatchUpMode = "all"
    max_age_s: float | None = None

    @property
    def limited(self) -> bool:
        """Whether some times may be left out."""
        return self.mode != "all" or self.max_age_s is not None


ALWAYS: Final = CatchUp()
"""Every time that passed is made up for."""
