"""Durations as people write them: `30`, `30s`, `5 min`, `1.5h`, `1h 30m`, `2 weeks`. Inside they are seconds."""

import re
from typing import Final

MAX_S: Final = 100 * 365 * 86_400
"""A hundred years: a longer one is a slip of the unit."""

UNITS: Final = {
    **dict.fromkeys(("s", "sec", "secs", "second", "seconds"), 1),
    **dict.fromkeys(("m", "min", "mins", "minute", "minutes"), 60),
    **dict.fromkeys(("h", "hour", "hours"), 3_600),
    **dict.fromkeys(("d", "day", "days"), 86_400),
    **dict.fromkeys(("w", "week", "weeks"), 604_800),
}

_NUMBER: Final = r"\d{1,12}(?:\.\d{1,9})?"
_ALONE: Final = re.compile(_NUMBER, re.ASCII)
_PART: Final = re.compile(rf"\s*({_NUMBER})\s*([A-Za-z]+)\s*", re.ASCII)


def parse_duration(written: str | float) -> float:
    """Return the seconds that `written` says; raise ValueError, in words for a person, if it says none."""
    seconds = _of_text(written.strip()) if isinstance(written, str) else float(written)
    if not 0 <= seconds <= MAX_S:  # not-a-number is not in the range either
        raise ValueError(f"{written} is not a duration between 0 and 100 years")
    return seconds


def format_duration(seconds: float) -> str:
    """Return the shortest sum of units: `1h 30m`, `0.5s`, `2w`."""
    if seconds == 0:
        return "0s"
    parts = []
    for unit, size in (("w", 604_800), ("d", 86_400), ("h", 3_600), ("m", 60)):
        count, seconds = divmod(seconds, size)
        if count:
            parts.append(f"{count:.0f}{unit}")
    if seconds:
        parts.append(f"{seconds:.9f}".rstrip("0").rstrip(".") + "s")
    return " ".join(parts)


def _of_text(text: str) -> float:
    if _ALONE.fullmatch(text):
        return float(text)
    seconds, at = 0.0, 0
    while at < len(text):
        part = _PART.match(text, at)
        if part is None:
            raise ValueError(f"{text!r} is not a duration: write 30s, 5 min, 1.5h or 1h 30m")
        if part[2].lower() not in UNITS:
            raise ValueError(f"{part[2]!r} is no unit of time: use s, m, h, d or w")
        seconds += float(part[1]) * UNITS[part[2].lower()]
        at = part.end()
    if not text:
        raise ValueError("a duration is missing: write 30s, 5 min, 1.5h or 1h 30m")
    return seconds
