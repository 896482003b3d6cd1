"""Schedules as written: when a job runs."""

from typing import Annotated, Final, Literal

from pydantic import Field, StrictBool

from apsis.spec.fields import ArgText, CalendarField, Daytime, Duration, Zone
from apsis.spec.models.base import Written
from apsis.spec.numbers import CENTURY_S, DAY_S, Span, Whole
from apsis.spec.shorthand import OneOrList

MAX_SHIFT: Final = 366
"""A year of days; more is a mistake, and the bound keeps dates far from the ends of time."""
MIN_INTERVAL_S: Final = 1.0
"""Schedules are for seconds and more; a shorter loop belongs into the program."""


class _Schedule(Written):
    enabled: StrictBool = True
    """false keeps the schedule in the file without runs."""
    args: dict[str, ArgText] = {}
    """Args of the runs; they win over what the schedule provides."""
    jitter: Annotated[float, Span(0, DAY_S)] = 0.0
    """How much later than its time a run becomes due, at most; the same at each look."""
    catch_up: Literal["all", "latest", "none"] = "all"
    """Which of the times that passed while the server was down are made up for."""
    max_age: Annotated[float, Span(1, CENTURY_S)] | None = None
    """Times that are older than this are not made up for."""


class Interval(_Schedule):
    """Every so often, counted from 1970-01-01T00:00Z."""

    type: Literal["interval"]
    interval: Annotated[float, Span(MIN_INTERVAL_S, CENTURY_S)]
    phase: Duration = 0.0
    """How much later than the multiples of the interval."""


class Daily(_Schedule):
    """At local daytimes, on the dates of a calendar."""

    type: Literal["daily"]
    tz: Zone
    daytime: Annotated[tuple[Daytime, ...], Field(min_length=1), OneOrList()]
    """One or several local times, H:MM or H:MM:SS."""
    calendar: CalendarField = Field(default="all", validate_default=True)
    """The dates."""
    date_shift: Annotated[int, Whole(-MAX_SHIFT, MAX_SHIFT)] = 0
    """So many days after the calendar's date; negative: before."""
    cal_shift: Annotated[int, Whole(-MAX_SHIFT, MAX_SHIFT)] = 0
    """So many dates of the calendar after the date; applied before date_shift."""


Schedule = Annotated[Interval | Daily, Field(discriminator="type")]
