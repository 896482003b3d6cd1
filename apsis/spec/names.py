"""The names that templates have: the run's, and pure functions over dates, daytimes, times, zones and calendars."""

import re
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Final

from whenever import Date, Instant, PlainDateTime, Time, TimeDelta

from apsis.domain.args import Args
from apsis.lib import template_values
from apsis.lib.template import Exposed, callable_in_templates
from apsis.schedules import calendar, provide, zone
from apsis.schedules.calendar import Calendar

RUN_NAMES: Final = frozenset({"run_id", "job_id", "schedule_time"})
FUNCTION_NAMES: Final = frozenset(
    {"Date", "Daytime", "Time", "TimeZone", "get_calendar", "to_local", "from_local", "format"}
)
PROVIDED: Final = RUN_NAMES | FUNCTION_NAMES


def names_of(
    job_id: str, run_id: str, args: Args, schedule_time: Instant, calendars: Mapping[str, Calendar]
) -> dict[str, object]:
    """Return all names for a run's templates; an arg wins over a name of ours."""
    return {
        **_FUNCTIONS,
        "get_calendar": callable_in_templates(lambda written: CalendarValue(_calendar(written, calendars))),
        "run_id": run_id,
        "job_id": job_id,
        "schedule_time": TimeValue(schedule_time),
        **args,
    }


class _Value(Exposed):
    """A value with a spelling, compared by what it holds."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and bool(other.value == self.value)

    def __hash__(self) -> int:
        return hash(self.value)

    def __lt__(self, other: Any) -> bool:
        return bool(self.value < self._same(other))

    def __le__(self, other: Any) -> bool:
        return bool(self.value <= self._same(other))

    def __gt__(self, other: Any) -> bool:
        return bool(self.value > self._same(other))

    def __ge__(self, other: Any) -> bool:
        return bool(self.value >= self._same(other))

    def _same(self, other: Any) -> Any:
        if type(other) is not type(self):
            raise TypeError(f"{self} cannot be compared with {other!r}")
        return other.value

    def __format__(self, spec: str) -> str:
        return self.strftime(spec) if spec else str(self)

    def strftime(self, pattern: str) -> str:
        """Fill in strftime's codes, as far as the value has them."""
        return _filled(pattern, self._moment())

    def _moment(self) -> PlainDateTime:
        raise TypeError(f"{self} cannot be formatted")


class DateValue(_Value):
    """`Date("2026-11-24") + 1`."""

    __slots__ = ()
    exposed: ClassVar = frozenset({"year", "month", "day", "weekday", "strftime"})

    def __str__(self) -> str:
        return provide.date(self.value)

    def __add__(self, days: object) -> "DateValue":
        return DateValue(self.value.add(days=_whole(days)))

    __radd__ = __add__

    def __sub__(self, other: object) -> "DateValue | int":
        if isinstance(other, DateValue):
            return int(other.value.until(self.value, total="days"))
        return DateValue(self.value.subtract(days=_whole(other)))

    @property
    def year(self) -> int:
        """As a number."""
        return int(self.value.year)

    @property
    def month(self) -> int:
        """1 to 12."""
        return int(self.value.month)

    @property
    def day(self) -> int:
        """1 to 31."""
        return int(self.value.day)

    @property
    def weekday(self) -> str:
        """`Mon` to `Sun`."""
        return calendar.DAYS[self.value.day_of_week().value - 1]

    def _moment(self) -> PlainDateTime:
        return PlainDateTime(self.value.year, self.value.month, self.value.day)


class DaytimeValue(_Value):
    """`Daytime("9:30")`."""

    __slots__ = ()
    exposed: ClassVar = frozenset({"hour", "minute", "second", "strftime"})

    def __str__(self) -> str:
        return provide.daytime(self.value)

    @property
    def hour(self) -> int:
        """0 to 23."""
        return int(self.value.hour)

    @property
    def minute(self) -> int:
        """0 to 59."""
        return int(self.value.minute)

    @property
    def second(self) -> int:
        """0 to 59."""
        return int(self.value.second)

    def _moment(self) -> PlainDateTime:
        return Date(1970, 1, 1).at(self.value)


class TimeValue(_Value):
    """`Time("2026-11-24T12:00:00Z") + 3600`: an instant; numbers are seconds."""

    __slots__ = ()
    exposed: ClassVar = frozenset({"strftime"})

    def __str__(self) -> str:
        return provide.time(self.value)

    def __add__(self, seconds: object) -> "TimeValue":
        return TimeValue(self.value + TimeDelta(seconds=_number(seconds)))

    __radd__ = __add__

    def __sub__(self, other: object) -> "TimeValue | float":
        if isinstance(other, TimeValue):
            return float((self.value - other.value).total("seconds"))
        return TimeValue(self.value - TimeDelta(seconds=_number(other)))

    def _moment(self) -> PlainDateTime:
        return zone.to_local(self.value, zone.UTC)


class LocalValue(_Value):
    """What `to_local` gives: a date and a daytime."""

    __slots__ = ()
    exposed: ClassVar = frozenset({"date", "daytime", "strftime"})

    def __str__(self) -> str:
        return f"{self.date}T{self.daytime}"

    @property
    def date(self) -> DateValue:
        """The local date."""
        return DateValue(self.value.date())

    @property
    def daytime(self) -> DaytimeValue:
        """The local time of the day."""
        return DaytimeValue(self.value.time())

    def _moment(self) -> PlainDateTime:
        moment: PlainDateTime = self.value
        return moment


class ZoneValue(_Value):
    """`TimeZone("Asia/Tokyo")`."""

    __slots__ = ()

    def __str__(self) -> str:
        return str(self.value)


class CalendarValue(_Value):
    """`get_calendar("Mon-Fri")`."""

    __slots__ = ()
    exposed: ClassVar = frozenset({"before", "after", "prev", "next", "shift", "contains"})

    def __str__(self) -> str:
        return str(self.value.name)

    def before(self, day: object) -> DateValue:
        """Return the last date on or before `day`."""
        return DateValue(self.value.before(_date(day)))

    def after(self, day: object) -> DateValue:
        """Return the first date on or after `day`."""
        return DateValue(self.value.after(_date(day)))

    def prev(self, day: object) -> DateValue:
        """Return the last date before `day`."""
        return DateValue(self.value.prev(_date(day)))

    def next(self, day: object) -> DateValue:
        """Return the first date after `day`."""
        return DateValue(self.value.next(_date(day)))

    def shift(self, day: object, count: object) -> DateValue:
        """Move by `count` dates of the calendar."""
        return DateValue(self.value.shift(_date(day), _whole(count)))

    def contains(self, day: object) -> bool:
        """Return whether `day` is one of its dates."""
        return _date(day) in self.value


def _date(value: object) -> Date:
    if isinstance(value, DateValue | LocalValue):
        held = value if isinstance(value, DateValue) else value.date
        date: Date = held.value
        return date
    try:
        return Date.parse_iso(str(value).strip())
    except ValueError:
        raise ValueError(f"{str(value)!r} is no date: write 2026-11-24") from None


def _daytime(value: object) -> Time:
    if isinstance(value, DaytimeValue):
        held: Time = value.value
        return held
    return provide.parse_daytime(str(value))


def _instant(value: object) -> Instant:
    if isinstance(value, TimeValue):
        held: Instant = value.value
        return held
    try:
        return Instant.parse_iso(str(value).strip())
    except ValueError:
        raise ValueError(f"{str(value)!r} is no time: write 2026-11-24T12:00:00Z") from None


def _zone(value: object) -> str:
    name = str(value)
    if not zone.is_zone(name):
        raise ValueError(f"no time zone {name!r}")
    return name


def _calendar(written: object, named: Mapping[str, Calendar]) -> Calendar:
    if isinstance(written, CalendarValue):
        held: Calendar = written.value
        return held
    return calendar.parse_calendar(str(written), named)


def _to_local(time: object, tz: object) -> LocalValue:
    return LocalValue(zone.to_local(_instant(time), _zone(tz)))


def _from_local(*parts: object) -> TimeValue:
    """Take a local time or a date and a daytime, together or apart, and a zone."""
    *local, tz = parts
    if len(local) == 1:
        local = list(local[0]) if isinstance(local[0], tuple | list) else [*_halves(local[0])]
    if len(local) != 2:
        raise TypeError("from_local takes a date, a daytime and a time zone")
    return TimeValue(zone.to_instant(_date(local[0]), _daytime(local[1]), _zone(tz)))


def _halves(local: object) -> tuple[object, object]:
    if not isinstance(local, LocalValue):
        raise TypeError("from_local takes a date, a daytime and a time zone")
    return local.date, local.daytime


def _whole(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"days are whole numbers, not {value!r}")
    return value


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"seconds are numbers, not {value!r}")
    return value


_MONTHS: Final = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip

# strftime's codes as we give them: the C library's take widths, which make long texts, and depend on the locale.
_CODES: Final[Mapping[str, Callable[[PlainDateTime], str]]] = {
    "Y": lambda t: f"{t.year:04}",
    "y": lambda t: f"{t.year % 100:02}",
    "m": lambda t: f"{t.month:02}",
    "d": lambda t: f"{t.day:02}",
    "e": lambda t: f"{t.day:2}",
    "j": lambda t: f"{t.date().day_of_year():03}",
    "H": lambda t: f"{t.hour:02}",
    "I": lambda t: f"{(t.hour - 1) % 12 + 1:02}",
    "M": lambda t: f"{t.minute:02}",
    "S": lambda t: f"{t.second:02}",
    "p": lambda t: "AM" if t.hour < 12 else "PM",
    "F": lambda t: provide.date(t.date()),
    "T": lambda t: f"{t.hour:02}:{t.minute:02}:{t.second:02}",
    "a": lambda t: calendar.DAYS[t.date().day_of_week().value - 1],
    "A": lambda t: t.date().day_of_week().name.capitalize(),
    "u": lambda t: str(t.date().day_of_week().value),
    "b": lambda t: _MONTHS[t.month - 1][:3],
    "B": lambda t: _MONTHS[t.month - 1],
    "%": lambda _: "%",
}


def _filled(pattern: str, moment: PlainDateTime) -> str:
    template_values.bounded(10 * len(pattern))

    def fill(code: re.Match[str]) -> str:
        if code[1] not in _CODES:
            raise ValueError(f"no code {code[0]!r}: use {' '.join('%' + c for c in _CODES)}")
        return _CODES[code[1]](moment)

    return re.sub(r"%(.?)", fill, pattern, flags=re.DOTALL)


_FUNCTIONS: Final[Mapping[str, object]] = {
    "Date": callable_in_templates(lambda value: DateValue(_date(value))),
    "Daytime": callable_in_templates(lambda value: DaytimeValue(_daytime(value))),
    "Time": callable_in_templates(lambda value: TimeValue(_instant(value))),
    "TimeZone": callable_in_templates(lambda value: ZoneValue(_zone(value))),
    "to_local": callable_in_templates(_to_local),
    "from_local": callable_in_templates(_from_local),
    "format": callable_in_templates(lambda value, spec="": template_values.formatted(value, spec)),
}
