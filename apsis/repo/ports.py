"""What following a repository needs of the store and of the engine, as protocols; `service` joins them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from whenever import Instant

from apsis.domain.finding import Finding
from apsis.domain.jobset import Difference, JobSet
from apsis.domain.revision import Revision


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a revision, as it is kept."""

    revision: Revision
    verdict: Literal["applied", "rejected"]
    at: Instant
    difference: Difference
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class Applied:
    """The last good snapshot as it lies on disk: texts by path (`apsis.yaml` included), and each text's blob id."""

    revision: Revision
    texts: Mapping[str, str]
    blobs: Mapping[str, str]


class Snapshots(Protocol):
    """Where revisions are kept, by repository prefix. All raise StoreError if the database does not do it."""

    async def applied(self, repo: str) -> Applied | None:
        """Return the last good snapshot."""
        ...

    async def save_rejected(self, repo: str, verdict: Verdict) -> None:
        """Keep a rejected revision with its findings."""
        ...

    async def verdicts(self, repo: str, limit: int) -> Sequence[Verdict]:
        """Return the newest revisions that were decided, newest first."""
        ...


class Engine(Protocol):
    """What the follower asks of the engine."""

    async def apply(self, jobs: JobSet, findings: tuple[Finding, ...]) -> Difference:
        """Make a revision the applied one, durably; returns what it changed."""
        ...


RepoStatus = Literal["synced", "rejected", "fetch_failed", "pending"]


@dataclass(frozen=True, slots=True)
class RepoState:
    """How a repository is followed just now."""

    repo: str
    source: str
    mode: Literal["git", "directory"]
    branch: str | None
    status: RepoStatus
    applied: Verdict | None
    newest: Verdict | None
    error: str | None
    fetched_at: Instant | None
