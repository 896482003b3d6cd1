"""At local daytimes, on the dates of a calendar."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from whenever import Date, Instant, Time

from apsis.domain.args import NO_ARGS, Args
from apsis.domain.policy import ALWAYS, CatchUp
from apsis.domain.schedule import Occurrence
from apsis.schedules import provide, zone
from apsis.schedules.calendar import ALL, Calendar

PROVIDED: Final = frozenset({"schedule_time", "time", "date", "daytime", "calendar", "tz"})


@dataclass(frozen=True, slots=True)
class Daily:
    """For each date of the calendar: `cal_shift` dates of it further, then `date_shift` days, at each daytime.

    The date provided is the calendar's, before the shifts; the daytime is the one written, even on a day when the
    clocks jump over it. Daytimes that a jump brings to one instant stay apart: each provides its own.
    """

    tz: str
    daytimes: tuple[Time, ...]
    calendar: Calendar = ALL
    date_shift: int = 0
    cal_shift: int = 0
    enabled: bool = True
    args: Args = NO_ARGS
    jitter_ms: int = 0
    catch_up: CatchUp = ALWAYS

    @property
    def provided(self) -> frozenset[str]:
        """The instant, the calendar's date, the local daytime, and where both come from."""
        return PROVIDED

    def between(self, start: Instant, end: Instant) -> Iterator[Occurrence]:
        """Yield the times after `start` up to and including `end`, at most one day of work ahead of the reader."""
        if not self.calendar.weekdays or end <= start:
            return
        daytimes = sorted(set(self.daytimes))
        # A day more on both sides: a skipped daytime may run on the next local day.
        day = zone.to_local(start, self.tz).date().subtract(days=1)
        last = zone.to_local(end, self.tz).date()
        while day <= last:
            for occurrence in self._on(day, daytimes):
                if start < occurrence.time <= end:
                    yield occurrence
            day = day.add(days=1)

    def describe(self) -> str:
        """Say `daily at 09:30 America/New_York on Mon-Fri`, and the shifts if there are any."""
        at = ", ".join(provide.short_daytime(daytime) for daytime in sorted(set(self.daytimes)))
        on = "" if self.calendar.name == "all" else f" on {self.calendar.name}"
        shifts = (_shift(self.cal_shift, "calendar day"), _shift(self.date_shift, "day"))
        return f"daily at {at} {self.tz}{on}{''.join(shifts)}{provide.jitter(self.jitter_ms)}"

    def nominal(self, day: Date) -> Date | None:
        """Return the calendar's date whose runs are on the local `day`, if there is one."""
        unshifted = day.subtract(days=self.date_shift)
        return self.calendar.shift(unshifted, -self.cal_shift) if unshifted in self.calendar else None

    def _on(self, day: Date, daytimes: list[Time]) -> Iterator[Occurrence]:
        nominal = self.nominal(day)
        if nominal is None:
            return
        for daytime in daytimes:
            time = zone.to_instant(day, daytime, self.tz)
            moment = provide.time(time)
            yield Occurrence(
                time,
                {
                    "schedule_time": moment,
                    "time": moment,
                    "date": provide.date(nominal),
                    "daytime": provide.daytime(daytime),
                    "calendar": self.calendar.name,
                    "tz": self.tz,
                },
            )


def _shift(count: int, unit: str) -> str:
    if not count:
        return ""
    return f", {abs(count)} {unit}{'' if abs(count) == 1 else 's'} {'later' if count > 0 else 'earlier'}"
