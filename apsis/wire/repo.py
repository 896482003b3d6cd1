"""Job repositories, their revisions and findings as the API shows them."""

from typing import Literal

from apsis.wire.message import message, said


@message
class Finding:
    """Something the check has to say about a place in a job repository."""

    code: str
    severity: Literal["error", "warning"]
    path: str
    line: int | None = said("1-based; null if the finding is about the whole file")
    column: int | None = said("1-based")
    message: str
    help: str | None = said("What to do about it.")
    source: str | None = said("The line of the file that is meant.")


@message
class Revision:
    """One commit, or one content hash of a plain directory, and what became of it."""

    revision: str
    author: str | None
    time: str
    message: str
    verdict: Literal["applied", "rejected"]
    decided_at: str
    added: int
    changed: int
    removed: int
    findings: list[Finding]


@message
class Repo:
    """A job repository that the server follows.

    `status`: synced (the newest revision is applied), rejected (the newest has errors), fetch_failed (the
    source does not answer: `error` says why), pending (nothing was fetched yet).
    """

    repo: str = said("The prefix of its job ids; empty for the only repository.")
    source: str
    mode: Literal["git", "directory"]
    branch: str | None
    status: Literal["synced", "rejected", "fetch_failed", "pending"]
    applied: Revision | None
    newest: Revision | None
    error: str | None
    fetched_at: str | None
    jobs: int


@message
class RepoPage:
    """All repositories, each with its newest revisions (at most 50), newest first."""

    repos: list[Repo]
    revisions: dict[str, list[Revision]]
    as_of: str
