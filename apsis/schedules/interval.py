"""Every so many seconds of elapsed time, counted from 1970-01-01T00:00Z."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from whenever import Instant

from apsis.domain.args import NO_ARGS, Args
from apsis.domain.policy import ALWAYS, CatchUp
from apsis.domain.schedule import Occurrence
from apsis.lib.duration import format_duration
from apsis.lib.instant import from_ms, to_ms
from apsis.schedules import provide, zone

PROVIDED: Final = frozenset({"schedule_time", "time", "date", "daytime"})


@dataclass(frozen=True, slots=True)
class Interval:
    """The times t with (t - phase) % interval = 0, in whole milliseconds."""

    interval_ms: int
    phase_ms: int = 0
    enabled: bool = True
    args: Args = NO_ARGS
    jitter_ms: int = 0
    catch_up: CatchUp = ALWAYS

    @property
    def provided(self) -> frozenset[str]:
        """The time in UTC, whole and in parts."""
        return PROVIDED

    def between(self, start: Instant, end: Instant) -> Iterator[Occurrence]:
        """Yield the times after `start` up to and including `end`."""
        steps = (to_ms(start) - self.phase_ms) // self.interval_ms
        while (time := from_ms(steps * self.interval_ms + self.phase_ms)) <= end:
            if time > start:
                yield self._at(time)
            steps += 1

    def describe(self) -> str:
        """Say `every 15m`, and the phase if there is one."""
        every = f"every {format_duration(self.interval_ms / 1000)}"
        phase = self.phase_ms % self.interval_ms
        past = f", {format_duration(phase / 1000)} past" if phase else ""
        return f"{every}{past}{provide.jitter(self.jitter_ms)}"

    def _at(self, time: Instant) -> Occurrence:
        local = zone.to_local(time, zone.UTC)
        moment = provide.time(time)
        return Occurrence(
            time,
            {
                "schedule_time": moment,
                "time": moment,
                "date": provide.date(local.date()),
                "daytime": provide.daytime(local.time()),
            },
        )
