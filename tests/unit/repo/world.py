"""Real git repositories for tests, and fakes of the follower's neighbours that keep everything in memory."""

import asyncio
import os
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace

from apsis.domain.finding import Finding
from apsis.domain.job import Job
from apsis.domain.job import Source as JobSource
from apsis.domain.jobset import Difference, JobSet, difference
from apsis.domain.snapshot import Applied, RevisionVerdict
from apsis.lib.clock import SystemClock
from apsis.repo.ports import RepoState
from apsis.repo.sync import Follower

GIT_ENV = {
    "PATH": os.environ["PATH"],
    "HOME": "/nonexistent",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_AUTHOR_NAME": "Ada",
    "GIT_AUTHOR_EMAIL": "ada@example.org",
    "GIT_COMMITTER_NAME": "Bob",
    "GIT_COMMITTER_EMAIL": "bob@example.org",
}


class Origin:
    """A bare repository that people push to, and a work tree to push from."""

    def __init__(self, folder: Path) -> None:
        self.bare = folder / "origin.git"
        self.work = folder / "work"
        self.bare.mkdir(parents=True)
        self.git("init", "--quiet", "--bare", "--initial-branch=main", cwd=self.bare)
        self.work.mkdir()
        self.git("init", "--quiet", "--initial-branch=main")
        self.git("remote", "add", "origin", str(self.bare))

    @property
    def url(self) -> str:
        return self.bare.as_uri()

    def git(self, *args: str, cwd: Path | None = None) -> str:
        done = subprocess.run(
            ["git", *args], cwd=cwd or self.work, env=GIT_ENV, capture_output=True, check=False, text=True
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def write(self, files: Mapping[str, str | bytes | None]) -> None:
        write_files(self.work, files)

    def push(
        self,
        files: Mapping[str, str | bytes | None],
        message: str = "change",
        *,
        branch: str = "main",
        force: bool = False,
    ) -> str:
        """Write (None: remove), commit and push; return the commit's id."""
        self.write(files)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "-m", message)
        self.git("push", "--quiet", *(["--force"] if force else []), "origin", f"HEAD:refs/heads/{branch}")
        return self.git("rev-parse", "HEAD")


def write_files(root: Path, files: Mapping[str, str | bytes | None]) -> None:
    for name, content in files.items():
        path = root / name
        if content is None:
            path.unlink()
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)


@dataclass(frozen=True)
class FakeLoaded:
    jobs: JobSet
    findings: tuple[Finding, ...]
    texts: Mapping[str, str]
    blobs: Mapping[str, str]


class FakeLoader:
    """Every `.yaml` file is a job, broken if its text says so; remembers each blob, as the real one does."""

    def __init__(self, repo: str = "") -> None:
        self.repo = repo
        self.cache: dict[str, str] = {}
        self.reads: list[list[str]] = []
        self.bug: Exception | None = None

    def load(self, revision, tree, read, judge=None):
        if self.bug is not None:
            raise self.bug
        wanted = {path: blob for path, blob in tree.items() if path.endswith(".yaml")}
        missing = [blob for blob in dict.fromkeys(wanted.values()) if blob not in self.cache]
        self.reads.append(missing)
        self.cache.update({blob: data.decode() for blob, data in read(missing).items()})
        texts = {path: self.cache[blob] for path, blob in wanted.items()}
        jobs, findings = {}, []
        for path, text in texts.items():
            if "broken" in text:
                findings.append(Finding("bad-job", "error", path, "it is broken"))
            elif path != "apsis.yaml":
                job_id = path.removesuffix(".yaml")
                source = JobSource(self.repo, revision.id, path, wanted[path])
                jobs[job_id] = Job(job_id, (), (), SimpleNamespace(), source, text)
            if "odd" in text:
                findings.append(Finding("odd-job", "warning", path, "it is odd"))
        return FakeLoaded(JobSet(self.repo, revision, jobs), tuple(findings), texts, wanted)


def no_check(loaded: FakeLoaded) -> tuple[Finding, ...]:
    return loaded.findings


@dataclass
class FakeSnapshots:
    """The store, as far as followers know it; outlives them, as a disk outlives a server."""

    last_good: dict[str, Applied] = field(default_factory=dict)
    decided: list[tuple[str, RevisionVerdict]] = field(default_factory=list)

    async def applied(self, repo: str) -> Applied | None:
        return self.last_good.get(repo)

    async def save_rejected(self, repo: str, verdict: RevisionVerdict) -> None:
        self.decided.append((repo, verdict))

    async def verdicts(self, repo: str, limit: int) -> Sequence[RevisionVerdict]:
        return [verdict for name, verdict in reversed(self.decided) if name == repo][:limit]


class FakeEngine:
    """Applies by taking the set; durable in the snapshots, as the engine's own commit would be."""

    def __init__(self, snapshots: FakeSnapshots) -> None:
        self.snapshots = snapshots
        self.jobs: dict[str, Job] = {}
        self.applied: list[JobSet] = []
        self.bug: Exception | None = None

    async def apply(self, jobs: JobSet, findings: tuple[Finding, ...]) -> Difference:
        if self.bug is not None:
            raise self.bug
        old = {id_: job for id_, job in self.jobs.items() if job.source.repo == jobs.repo}
        changes = difference(old, jobs.jobs)
        for removed in changes.removed:
            del self.jobs[removed]
        self.jobs.update(jobs.jobs)
        self.applied.append(jobs)
        self.snapshots.last_good[jobs.repo] = Applied(
            jobs.revision,
            {path: file.text for path, file in jobs.files.items()},
            {path: file.blob for path, file in jobs.files.items()},
        )
        at = SystemClock().now()
        self.snapshots.decided.append((jobs.repo, RevisionVerdict(jobs.revision, "applied", at, changes, findings)))
        return changes


class States:
    """Every state that a follower showed, and a way to wait for one."""

    def __init__(self) -> None:
        self.seen: list[RepoState] = []
        self._news = asyncio.Event()

    def __call__(self, state: RepoState) -> None:
        self.seen.append(state)
        self._news.set()

    async def until(self, wanted: Callable[[RepoState], bool]) -> RepoState:
        async with asyncio.timeout(20):
            while not (self.seen and wanted(self.seen[-1])):
                self._news.clear()
                await self._news.wait()
        return self.seen[-1]


class Server:
    """A follower with its neighbours; `restart` makes a new one over the same disk."""

    def __init__(
        self, open_source, snapshots: FakeSnapshots | None = None, repo: str = "", clock=None, loader=FakeLoader
    ) -> None:
        self.open_source = open_source
        self.snapshots = snapshots or FakeSnapshots()
        self.clock = clock or SystemClock()
        self.make_loader = loader
        self.loader = loader(repo)
        self.engine = FakeEngine(self.snapshots)
        self.states = States()
        self.source = open_source()
        self.follower = Follower(
            repo, self.source, self.loader, no_check, self.snapshots, self.engine, self.clock, self.states
        )

    async def sync(self) -> RepoState:
        await self.follower.sync()
        return self.follower.state

    async def restart(self) -> "Server":
        await self.follower.close()
        fresh = Server(self.open_source, self.snapshots, self.follower.repo, self.clock, self.make_loader)
        jobs = await fresh.follower.restore()
        if jobs is not None:
            fresh.engine.jobs.update(jobs.jobs)
        return fresh

    @property
    def jobs(self) -> dict[str, str]:
        return {job_id: job.text for job_id, job in self.engine.jobs.items()}
