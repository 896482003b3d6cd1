"""What a job's schedule owed while nobody was there, and does not make up for."""

from dataclasses import dataclass
from typing import Final

from whenever import Instant

MOST_COUNTED: Final = 1_000
"""Times of a missed span that are counted; one more means `over 1,000`."""


@dataclass(frozen=True, slots=True)
class Missed:
    """One span of one schedule: `count` times from `first` to `last`, for the reason given. Made at `at`."""

    job_id: str
    schedule: str
    count: int
    first: Instant
    last: Instant
    reason: str
    at: Instant
