"""Times as people type and read them, in the zone that they chose."""

from dataclasses import dataclass
from typing import Any, Final

from whenever import SYSTEM_TZ, Date, Instant, PlainDateTime, Time, TimeDelta, TimeZoneNotFoundError, ZonedDateTime

from apsis.cli.exits import USAGE, CommandError
from apsis.lib.duration import parse_duration
from apsis.lib.instant import format_instant, parse_instant

FORMS: Final = "Write 2026-11-24T12:00:00Z, '2026-11-24 09:30' or 2026-11-24 (in your zone), 09:30 (today), or 2h."


@dataclass(frozen=True)
class Zone:
    """A time zone for reading and showing; None is the system's."""

    name: str | None

    def show(self, instant: str) -> str:
        """Return an instant of the wire as a local time, to the second."""
        local = self._local(parse_instant(instant)).to_plain()
        return local.round("second", mode="floor").format_iso(sep=" ")

    def label(self) -> str:
        """Return the zone's name, for headings."""
        return self.name or "local"

    def read(self, text: str, *, ago: bool) -> str:
        """Return what somebody typed as an instant of the wire; a duration counts from now, back if `ago`."""
        for form in (parse_instant, self._read_local, self._read_daytime):
            try:
                return format_instant(form(text))
            except ValueError:
                continue
        try:
            seconds = parse_duration(text)
        except ValueError:
            raise CommandError(f"{text!r} is no time", USAGE, help=FORMS) from None
        return format_instant(now() + TimeDelta(seconds=-seconds if ago else seconds))

    def _read_local(self, text: str) -> Instant:
        if len(text) == len("2026-11-24"):
            return self._instant(Date.parse_iso(text).at(Time(0)))
        return self._instant(PlainDateTime.parse_iso(text.replace(" ", "T")))

    def _read_daytime(self, text: str) -> Instant:
        return self._instant(self._local(now()).date().at(Time.parse_iso(text)))

    def _local(self, instant: Instant) -> ZonedDateTime:
        return instant.to_tz(self.name or SYSTEM_TZ)

    def _instant(self, local: PlainDateTime) -> Instant:
        return local.assume_tz(self.name or SYSTEM_TZ, disambiguation="compatible").to_instant()


def now() -> Instant:
    """Return the user's wall time; not by `lib.clock`, for that imports asyncio, which is 50 ms of a short command."""
    return Instant.now()


def open_zone(name: str | None) -> Zone:
    """Return the zone of that name; an unknown one is a slip."""
    zone = Zone(name or None)
    try:
        zone.show("2026-11-24T12:00:00Z")
    except TimeZoneNotFoundError:
        raise CommandError(f"no time zone {name!r}", USAGE, help=_meant(name)) from None
    return zone


def _meant(name: Any) -> str:
    from whenever import available_timezones

    from apsis.lib.suggest import near

    meant = near(str(name), available_timezones())
    return f"Did you mean {', '.join(meant)}?" if meant else "Write a name like America/New_York or UTC."
