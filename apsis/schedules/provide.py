"""How times are spelled where a schedule provides them: the same spelling that templates print."""

from whenever import Date, Instant, Time

from apsis.lib.duration import format_duration


def time(instant: Instant) -> str:
    """Return `2026-11-24T12:00:00Z`, with a fraction only where there is one."""
    return instant.format_iso()


def date(day: Date) -> str:
    """Return `2026-11-24`."""
    return day.format_iso()


def daytime(local: Time) -> str:
    """Return `09:30:00`."""
    return local.format_iso()


def short_daytime(local: Time) -> str:
    """Return `09:30`, with seconds only where there are some."""
    return local.format_iso() if local.second or local.nanosecond else local.format_iso(unit="minute")


def jitter(jitter_ms: int) -> str:
    """Return `, up to 10m later` for the words of a schedule; "" without jitter."""
    return f", up to {format_duration(jitter_ms / 1000)} later" if jitter_ms else ""


def parse_daytime(text: str) -> Time:
    """Read `9:30`, `09:30` or `09:30:00`; raise ValueError in words for a person."""
    for pattern in ("H:mm", "H:mm:ss"):
        try:
            return Time.parse(text.strip(), pattern=pattern)
        except ValueError:
            continue
    raise ValueError(f"{text!r} is no daytime: write 9:30 or 09:30:00, from 0:00 to 23:59:59")
