"""Calendars: sets of dates. In this version they are sets of weekdays, `all` and `none` among them."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from whenever import Date, Weekday

from apsis.lib.shared import shared

DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")

_NUMBERS: Final = {
    **{name.lower(): number for number, name in enumerate(DAYS, 1)},
    **{day.name.lower(): day.value for day in Weekday},
    **{day.name.lower() + "s": day.value for day in Weekday},
    "tues": 2,
    "thur": 4,
    "thurs": 4,
}
_GROUPS: Final = {
    "all": frozenset(range(1, 8)),
    "daily": frozenset(range(1, 8)),
    "none": frozenset[int](),
    "weekdays": frozenset(range(1, 6)),
    "workdays": frozenset(range(1, 6)),
    "weekends": frozenset((6, 7)),
    "weekend": frozenset((6, 7)),
}


@dataclass(frozen=True, slots=True)
class Calendar:
    """The dates that fall on some weekdays (1 is Monday); `name` is how it was written."""

    name: str
    weekdays: frozenset[int]

    def __contains__(self, day: object) -> bool:
        return isinstance(day, Date) and day.day_of_week().value in self.weekdays

    def before(self, day: Date) -> Date:
        """Return the last date of the calendar on or before `day`."""
        return day if day in self else self.prev(day)

    def after(self, day: Date) -> Date:
        """Return the first date of the calendar on or after `day`."""
        return day if day in self else self.next(day)

    def prev(self, day: Date) -> Date:
        """Return the last date of the calendar before `day`."""
        return self._step(day, -1)

    def next(self, day: Date) -> Date:
        """Return the first date of the calendar after `day`."""
        return self._step(day, 1)

    def shift(self, day: Date, count: int) -> Date:
        """Move by `count` dates of the calendar; whole weeks at once, so that the work does not grow with `count`."""
        if not self.weekdays:
            raise ValueError(f"the calendar {self.name!r} has no dates")
        step = 1 if count >= 0 else -1
        weeks, rest = divmod(abs(count), len(self.weekdays))
        if day not in self and weeks and not rest:
            weeks, rest = weeks - 1, len(self.weekdays)
        day = day.add(days=7 * weeks * step)
        for _ in range(rest):
            day = self._step(day, step)
        return day

    def _step(self, day: Date, step: int) -> Date:
        for n in range(1, 8):
            other = day.add(days=n * step)
            if other in self:
                return other
        raise ValueError(f"the calendar {self.name!r} has no dates")


def parse_calendar(written: str | Iterable[str], named: Mapping[str, Calendar] | None = None) -> Calendar:
    """Read `all`, `Mon-Fri`, `mon, wed`, `Weekdays`, a list of such, or a name of `named`; raise ValueError."""
    parts = (written,) if isinstance(written, str) else tuple(written)
    if named and len(parts) == 1 and parts[0] in named:
        return shared(Calendar(parts[0], named[parts[0]].weekdays))
    if not parts:
        raise ValueError("an empty list is no calendar: write none")
    items = [item for part in parts for item in part.split(",")]
    days: frozenset[int] = frozenset()
    for item in items:
        days |= named[item.strip()].weekdays if named and item.strip() in named else _weekdays(item.strip())
    return shared(Calendar(", ".join(part.strip() for part in parts), days))


def calendar_words() -> tuple[str, ...]:
    """Return the names that need no definition, for near misses."""
    return (*_GROUPS, *DAYS, *(day.name.capitalize() for day in Weekday))


ALL: Final = Calendar("all", _GROUPS["all"])


def _weekdays(text: str) -> frozenset[int]:
    word = text.lower()
    if word in _GROUPS:
        return _GROUPS[word]
    if word in _NUMBERS:
        return frozenset((_NUMBERS[word],))
    ends = re.fullmatch(r"(\w+)\s*-\s*(\w+)", word)
    if ends and ends[1] in _NUMBERS and ends[2] in _NUMBERS:
        first, last = _NUMBERS[ends[1]], _NUMBERS[ends[2]]
        return frozenset((first - 1 + n) % 7 + 1 for n in range((last - first) % 7 + 1))
    raise ValueError(
        f"{text!r} is no calendar: use all, none, weekdays like Mon-Fri or mon,wed, or a name from apsis.yaml"
    )
