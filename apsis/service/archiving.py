"""Archiving by policy: runs that are old enough leave the server's database by themselves."""

import logging
from dataclasses import dataclass
from typing import Final

from pydantic import BaseModel, Field
from whenever import TimeDelta

from apsis.domain.errors import ApsisError, BadRequest
from apsis.lib.clock import Clock
from apsis.lib.duration import format_duration, parse_duration
from apsis.programs.internal import Housekeeping

log = logging.getLogger(__name__)

CHUNK: Final = 50
"""Runs that are moved at a time."""

PAUSE_S: Final = 0.1
"""Between two chunks: 500 runs a second are more than any server finishes, and leave it most of the disk."""

DEFAULT_EVERY_S: Final = 3600.0


class ArchiveKeys(BaseModel, extra="forbid"):
    """How old a run gets, where it goes then, and how often that is looked after."""

    after: str | float
    path: str | None = Field(default=None, min_length=1)
    every: str | float | None = None


@dataclass(frozen=True, slots=True)
class ArchivePolicy:
    """Runs that ended `after_s` seconds ago are moved to `path` (in the state directory; None: `archive.db`)."""

    after_s: float
    path: str | None
    every_s: float


def archive_policy(keys: ArchiveKeys | None, after: str | None) -> ArchivePolicy | None:
    """Lay the option over the file's keys; None: nothing is archived. Raises BadRequest for what is no duration."""
    if keys is None and after is None:
        return None
    age_s = _seconds("archive.after", after if after is not None or keys is None else keys.after)
    every = keys.every if keys is not None else None
    every_s = DEFAULT_EVERY_S if every is None else _seconds("archive.every", every)
    return ArchivePolicy(age_s, keys.path if keys is not None else None, max(1.0, every_s))


class Archiving:
    """Does it, from the server's start on."""

    def __init__(self, archives: Housekeeping, policy: ArchivePolicy, clock: Clock) -> None:
        self._archives = archives
        self._policy = policy
        self._clock = clock

    async def run(self) -> None:
        """Archive, wait, and again; what cannot be done is told, and tried again the next time."""
        while True:
            await self._once()
            await self._clock.sleep(self._policy.every_s)

    async def _once(self) -> None:
        policy = self._policy
        try:
            moved = await self._archives.archive(
                self._clock.now() - TimeDelta(seconds=policy.after_s),
                path=policy.path,
                limit=None,
                chunk_size=CHUNK,
                chunk_sleep_s=PAUSE_S,
                progress=lambda _: None,
            )
        except ApsisError as error:
            log.warning("archive_failed: %s; tried again in %s", error.message, format_duration(policy.every_s))
            return
        if moved:
            log.info("archived: %d runs that ended more than %s ago", moved, format_duration(policy.after_s))


def _seconds(name: str, written: str | float | None) -> float:
    try:
        return parse_duration(written if written is not None else "")
    except ValueError as error:
        raise BadRequest(f"{name} {written!r}: {error}", help="For example 90d or 1h.") from error
