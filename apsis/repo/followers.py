"""All followed repositories together: what the API asks about them."""

import asyncio
from collections.abc import Iterable, Sequence

from apsis.domain.errors import BadRequest, NotFound
from apsis.domain.jobset import JobSet
from apsis.domain.snapshot import RevisionVerdict
from apsis.lib.tasks import Tasks
from apsis.repo.ports import RepoState, Snapshots
from apsis.repo.source import check_prefix
from apsis.repo.sync import Follower


class Followers:
    """Restores, runs and asks several followers, each with a prefix of its own."""

    def __init__(self, followers: Iterable[Follower], snapshots: Snapshots) -> None:
        self._followers: dict[str, Follower] = {}
        self._snapshots = snapshots
        self._tasks = Tasks("repositories")
        for follower in followers:
            if check_prefix(follower.repo) in self._followers:
                raise BadRequest(
                    f"two repositories have the prefix {follower.repo!r}",
                    help="Give each its own: PREFIX=URL; at most one may be without.",
                )
            self._followers[follower.repo] = follower

    async def restore(self) -> Sequence[JobSet]:
        """Return the last good job set of each repository that has one; before `start`."""
        restored = [await follower.restore() for follower in self._followers.values()]
        return [jobs for jobs in restored if jobs is not None]

    def start(self) -> None:
        """Begin to follow."""
        for follower in self._followers.values():
            self._tasks.start(follower.run(), f"follow {follower.repo!r}")

    async def close(self) -> None:
        """Stop following."""
        await self._tasks.close()
        for follower in self._followers.values():
            await follower.close()

    def states(self) -> Sequence[RepoState]:
        """Return the state of each."""
        return [follower.state for follower in self._followers.values()]

    async def verdicts(self, repo: str, limit: int) -> Sequence[RevisionVerdict]:
        """Return the newest revisions that were decided, newest first; raise NotFound (`repository`)."""
        if repo not in self._followers:
            raise NotFound("repository", repo, near=self._followers)
        return await self._snapshots.verdicts(repo, limit)

    async def sync(self) -> None:
        """Fetch all now; returns when what was fetched is applied or rejected, or could not be fetched."""
        await asyncio.gather(*(follower.sync() for follower in self._followers.values()))
