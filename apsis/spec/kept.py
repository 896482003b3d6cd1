"""A job file as it is kept: its plain values in a few hundred bytes, and its models made again when someone looks."""

import marshal
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final

from apsis.schedules.calendar import Calendar
from apsis.spec import models
from apsis.spec.fields import CALENDARS

MOST_OPEN: Final = 256
"""Files whose models are kept: those of the jobs that run often. Making them costs some 60 us a file, and keeping
them 6 KiB, of which ten thousand jobs would be the greater part of a server's memory."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A file's plain values; equal if they and the repository's settings (by `digest`) are."""

    packed: bytes
    digest: str = ""
    calendars: Mapping[str, Calendar] = field(default_factory=dict, compare=False, repr=False)

    @property
    def written(self) -> Mapping[str, Any]:
        """The file as written, for showing; nobody may change it."""
        return _written(self)

    @property
    def file(self) -> models.JobFile:
        """The file's models; raise ValidationError if there are none, which only its first reader has to expect."""
        return _file(self)


def keep(written: dict[str, Any], digest: str = "", calendars: Mapping[str, Calendar] | None = None) -> Kept:
    """Return a file's values, all of them YAML's kinds, as they are kept."""
    return Kept(marshal.dumps(written), digest, calendars or {})


@lru_cache(maxsize=MOST_OPEN)
def _written(kept: Kept) -> Mapping[str, Any]:
    written: Mapping[str, Any] = marshal.loads(kept.packed)  # noqa: S302 - packed by this process
    return written


@lru_cache(maxsize=MOST_OPEN)
def _file(kept: Kept) -> models.JobFile:
    return models.JobFile.model_validate(_written(kept), context={CALENDARS: kept.calendars})
