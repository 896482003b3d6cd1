"""Instants as text and as whole milliseconds; inside Apsis they are `whenever.Instant`, always UTC."""

from typing import Final

from whenever import Instant

EPOCH: Final = Instant.from_timestamp(0)


def to_ms(instant: Instant) -> int:
    """Return milliseconds since 1970-01-01T00:00Z, cut to whole ones."""
    return instant.timestamp(unit="millisecond")


def from_ms(ms: int) -> Instant:
    """Return the instant that is `ms` milliseconds after 1970-01-01T00:00Z."""
    return Instant.from_timestamp(ms, unit="millisecond")


def whole_ms(instant: Instant) -> Instant:
    """Return `instant` cut to whole milliseconds, the precision that is stored and shown."""
    return from_ms(to_ms(instant))


def format_instant(instant: Instant) -> str:
    """Return `2026-11-24T12:00:00.000Z`."""
    return instant.format_iso(unit="millisecond")


def parse_instant(text: str) -> Instant:
    """Read an ISO 8601 instant with an offset or `Z`, cut to whole milliseconds; raise ValueError if it is none."""
    return whole_ms(Instant.parse_iso(text))
