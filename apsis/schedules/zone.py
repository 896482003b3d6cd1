"""Local times: the only file that knows zones and daylight saving.

A local time that a zone skips means the end of the gap; one that it repeats means the first of the two.
"""

import functools
from collections.abc import Iterator
from typing import Final

from whenever import Date, Instant, PlainDateTime, Time, TimeZoneNotFoundError, available_timezones

UTC: Final = "UTC"


def zone_names() -> frozenset[str]:
    """Return every name that a zone may be given by."""
    return frozenset(available_timezones())


@functools.lru_cache(maxsize=1024)
def is_zone(name: str) -> bool:
    """Return whether `name` is an IANA time zone."""
    try:
        Instant.from_timestamp(0).to_tz(name)
    except (TimeZoneNotFoundError, ValueError):
        return False
    return True


def to_instant(day: Date, daytime: Time, zone: str) -> Instant:
    """Return when the clocks of the zone first show `daytime` on `day`, or when they jump over it."""
    local = day.at(daytime)
    zoned = local.assume_tz(zone, disambiguation="compatible")
    if zoned.to_plain() == local:
        return zoned.to_instant()
    return _end_of_gap(local, zone)


def to_local(instant: Instant, zone: str) -> PlainDateTime:
    """Return what the clocks of the zone show."""
    return instant.to_tz(zone).to_plain()


def odd(day: Date, daytime: Time, zone: str) -> str | None:
    """Return `skipped` or `repeated` if the zone's clocks do that to this local time."""
    local = day.at(daytime)
    zoned = local.assume_tz(zone, disambiguation="compatible")
    if zoned.to_plain() != local:
        return "skipped"
    return "repeated" if zoned.is_repeated() else None


@functools.lru_cache(maxsize=1024)
def change_days(zone: str, first: Date, days: int) -> tuple[Date, ...]:
    """Return the days, of so many from `first`, on which the zone's offset changes, and their neighbours."""
    found: dict[Date, None] = {}
    for day in _days(first, days):
        start = to_instant(day, Time.MIDNIGHT, zone)
        end = to_instant(day.add(days=1), Time.MIDNIGHT, zone)
        if start.to_tz(zone).offset != end.to_tz(zone).offset:
            found.update(dict.fromkeys((day.subtract(days=1), day, day.add(days=1))))
    return tuple(found)


def _days(first: Date, days: int) -> Iterator[Date]:
    for n in range(days):
        yield first.add(days=n)


def _end_of_gap(local: PlainDateTime, zone: str) -> Instant:
    """Search for the transition between the two readings of a skipped time, to the second."""
    before = local.assume_tz(zone, disambiguation="earlier").to_instant().timestamp()
    after = local.assume_tz(zone, disambiguation="later").to_instant().timestamp()
    offset = Instant.from_timestamp(after).to_tz(zone).offset
    while after - before > 1:
        middle = (before + after) // 2
        if Instant.from_timestamp(middle).to_tz(zone).offset == offset:
            after = middle
        else:
            before = middle
    return Instant.from_timestamp(after)
