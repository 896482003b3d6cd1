"""The jobs of one repository at one revision, and the difference of two such sets."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from apsis.domain.job import Job, Source
from apsis.domain.revision import Revision


@dataclass(frozen=True, slots=True)
class File:
    """A file of a revision: its text, and the git blob id of its bytes."""

    blob: str
    text: str


@dataclass(frozen=True, slots=True)
class JobSet:
    """What a revision says: jobs by id, and the files they were loaded from (`apsis.yaml` too), by path.

    `pools` has the sizes of the repository's pools, by the name that `Pool.name` has.
    """

    repo: str
    revision: Revision
    jobs: Mapping[str, Job]
    files: Mapping[str, File] = field(default_factory=dict)
    pools: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Difference:
    """Ids of the jobs that one set has and the other does not, or has otherwise; each sorted."""

    added: tuple[str, ...]
    changed: tuple[str, ...]
    removed: tuple[str, ...]


def difference(old: Mapping[str, Job], new: Mapping[str, Job]) -> Difference:
    """Compare by what the jobs were loaded from: the file's blob and the repository's settings."""
    return Difference(
        added=tuple(sorted(new.keys() - old.keys())),
        changed=tuple(sorted(i for i, job in new.items() if i in old and _differ(old[i].source, job.source))),
        removed=tuple(sorted(old.keys() - new.keys())),
    )


def _differ(old: Source, new: Source) -> bool:
    return old.blob != new.blob or old.path != new.path or old.settings != new.settings
