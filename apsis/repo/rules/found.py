"""What rules look at and what they give."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from whenever import Date

from apsis.domain.job import Job
from apsis.lib.template import is_template
from apsis.schedules import zone
from apsis.spec.bind import JobTemplate
from apsis.spec.complain import Complaint
from apsis.spec.fields import did_you_mean
from apsis.spec.judged import Found, Judged
from apsis.spec.load import Loaded
from apsis.spec.yaml import Path


@dataclass(slots=True)
class Snapshot:
    """The revision as a whole: the jobs, every id that has a file, readable or not, and the day it was made (UTC)."""

    loaded: Loaded
    jobs: Mapping[str, Job] = field(init=False)
    known: frozenset[str] = field(init=False)
    day: Date = field(init=False)

    def __post_init__(self) -> None:
        self.jobs = self.loaded.jobs.jobs
        self.known = frozenset(self.loaded.ids.values())
        self.day = zone.to_local(self.loaded.jobs.revision.time, zone.UTC).date()


Rule = Callable[[Job, JobTemplate], Iterator[Found]]
"""Judges one file by itself; asked once, as long as it and the settings' digest stay."""
SnapshotRule = Callable[[Job, Judged, Snapshot], Iterator[Found]]
"""Judges one job among the others; asked at each revision, so that it does not look into the file."""
CONDITION_KEYS = ("condition", "conditions")
ACTION_KEYS = ("action", "actions")


def items(written: Mapping[str, Any], *keys: str) -> list[tuple[Path, Any]]:
    """Return the values under the first of the keys that has some, with their paths in the file."""
    for key in keys:
        value = written.get(key)
        if isinstance(value, list) and value:
            return [((key, number), item) for number, item in enumerate(value)]
        if value is not None and value != []:
            return [((key,), value)]
    return []


def places(written: Mapping[str, Any], *keys: str) -> list[Path]:
    """Return the paths of the values under the first of the keys that has some."""
    return [path for path, _ in items(written, *keys)]


def templates(parts: Iterable[tuple[Path, Any]]) -> Iterator[tuple[Path, str]]:
    """Yield the templates in and below values, with their paths, in the file's order."""
    queue: list[tuple[Path, Any]] = list(reversed(list(parts)))
    while queue:
        path, value = queue.pop()
        if isinstance(value, str):
            if is_template(value):
                yield path, value
        elif isinstance(value, dict):
            queue.extend(((*path, key), item) for key, item in reversed(value.items()))
        elif isinstance(value, list):
            queue.extend(((*path, number), item) for number, item in reversed(list(enumerate(value))))


def unknown_arg(path: Path, name: str, job_id: str, params: tuple[str, ...]) -> Complaint:
    """Say that a job has no such param."""
    help_ = did_you_mean(name, params) or f"Its params are: {', '.join(params) or 'none'}."
    return Complaint("unknown_arg", path, f"the job {job_id} has no param {name!r}", help_, key=True)
