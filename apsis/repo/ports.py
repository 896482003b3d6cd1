"""What following a repository needs of the store and of the engine, as protocols; `service` joins them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from whenever import Instant

from apsis.domain.finding import Finding
from apsis.domain.jobset import Difference, JobSet
from apsis.domain.snapshot import Applied, RevisionVerdict


class Snapshots(Protocol):
    """Where revisions are kept, by repository prefix. All raise StoreError if the database does not do it."""

    async def applied(self, repo: str) -> Applied | None:
        """Return the last good snapshot."""
        ...

    async def save_rejected(self, repo: str, verdict: RevisionVerdict) -> None:
        """Keep a rejected revision with its findings."""
        ...

    async def verdicts(self, repo: str, limit: int) -> Sequence[RevisionVerdict]:
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
    applied: RevisionVerdict | None
    newest: RevisionVerdict | None
    error: str | None
    fetched_at: Instant | None
