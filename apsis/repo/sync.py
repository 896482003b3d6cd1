"""Following one job repository: what was pushed becomes what runs, whole commits only."""

import asyncio
import logging
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Final

from whenever import Instant, TimeDelta

from apsis.domain.errors import ApsisError
from apsis.domain.finding import Finding, rejects
from apsis.domain.jobset import Difference, File, JobSet
from apsis.domain.revision import Revision
from apsis.domain.snapshot import Applied, RevisionVerdict
from apsis.lib.clock import Clock
from apsis.lib.tasks import Tasks
from apsis.repo.check import judge
from apsis.repo.directory import ChangedMeanwhile
from apsis.repo.limits import Refused
from apsis.repo.ports import Engine, RepoState, Snapshots
from apsis.repo.source import Fetched, Read, Source
from apsis.spec.load import Loaded, Loader

log = logging.getLogger(__name__)

FIRST_RETRY_S: Final = 1.0
LONGEST_RETRY_S: Final = 60.0
"""Back-off of a source that does not answer: soon, for a blip; never rarely, as a fix may be waiting there."""

RESCANS: Final = 3
"""How often a directory that changes while it is read is scanned again at once; then it is left to the back-off."""

RESTORED_VERDICTS: Final = 50
"""How far back a start looks for the verdict on the applied revision, behind commits that were rejected since."""

NO_DIFFERENCE: Final = Difference((), (), ())


Check = Callable[[Loaded], tuple[Finding, ...]]


class Follower:
    """Follows one repository.

    Each pass fetches, and, if the revision was not decided before, loads, checks, and applies it through the engine
    or keeps it as rejected. Whatever fails is shown in the state and tried again, with a back-off; the last good
    revision stays live. `changed` is told each new state.
    """

    def __init__(
        self,
        repo: str,
        source: Source,
        loader: Loader,
        check: Check,
        snapshots: Snapshots,
        engine: Engine,
        clock: Clock,
        changed: Callable[[RepoState], None],
    ) -> None:
        self.repo = repo
        self._source = source
        self._loader = loader
        self._check = check
        self._snapshots = snapshots
        self._engine = engine
        self._clock = clock
        self._changed = changed
        self._state = RepoState(repo, source.describe(), source.mode, source.branch, "pending", None, None, None, None)
        self._tasks = Tasks(f"repository {repo!r}")
        self._bell = asyncio.Event()
        self._asked = 0
        self._served = 0
        self._pass: asyncio.Task[None] | None = None
        self._failures = 0
        self._retry_at_s = 0.0

    @property
    def state(self) -> RepoState:
        """How the repository is followed just now."""
        return self._state

    async def restore(self) -> JobSet | None:
        """Return the jobs of the last good revision as the store has them, None if there is none; before `run`.

        They are loaded, not judged: a job that no longer loads, after an upgrade, costs that job only.
        """
        applied = await self._snapshots.applied(self.repo)
        if applied is None:
            self._settle(_newest(await self._snapshots.verdicts(self.repo, 1)))
            return None
        verdicts = await self._snapshots.verdicts(self.repo, RESTORED_VERDICTS)
        verdict = next((v for v in verdicts if v.revision.id == applied.revision.id and v.verdict == "applied"), None)
        self._settle(verdict or RevisionVerdict(applied.revision, "applied", applied.revision.time, NO_DIFFERENCE, ()))
        self._settle(_newest(verdicts))
        loaded = await asyncio.to_thread(self._loader.load, applied.revision, applied.blobs, _stored(applied))
        lost = sorted({finding.path for finding in loaded.findings if finding.severity == "error"})
        if lost:
            log.error("jobs_lost: %d files of the applied revision no longer load: %s", len(lost), ", ".join(lost[:20]))
            # It may be the stored text that is damaged, so that the next revision is read from its source, whole.
            self._loader = Loader(self.repo)
        return _with_files(loaded)

    async def run(self) -> None:
        """Sync at once, then whenever the source rings or a retry is due; never ends by itself."""
        self._tasks.start(self._listen(), "bell")
        while True:
            self._bell.clear()
            await self.sync()
            await self._rest()

    async def sync(self) -> None:
        """Fetch now; returns when what was fetched is decided, or the state says why it could not be.

        Callers share passes, but never one that began before they called.
        """
        self._asked += 1
        mine = self._asked
        while self._served < mine:
            if self._pass is None or self._pass.done():
                self._pass = self._tasks.start(self._serve(), "sync")
            await asyncio.shield(self._pass)  # a caller that goes away takes no commit half applied with it

    async def close(self) -> None:
        """Stop following; a git process that runs is ended."""
        await self._tasks.close()

    # -- one pass ----------------------------------------------------------------------------------------------

    async def _serve(self) -> None:
        """Do a pass; the one place where anything that goes wrong with a repository costs that pass only."""
        covers = self._asked
        try:
            await self._follow()
        except Exception as error:  # noqa: BLE001 - the seam
            self._fail(error)
        finally:
            self._served = covers

    async def _follow(self) -> None:
        for _ in range(RESCANS):
            try:
                await self._steps()
            except ChangedMeanwhile:
                continue
            return
        await self._steps()

    async def _steps(self) -> None:
        fetched = await self._source.fetch()
        verdict = self._decided(fetched.revision)
        if verdict is None:
            jobs, findings = await self._load(fetched)
            verdict = await self._decide(jobs, findings)
        self._failures = 0
        self._settle(verdict, self._clock.now())

    def _decided(self, revision: Revision) -> RevisionVerdict | None:
        """Return the verdict if it is known: the head stayed, or went back to what is live."""
        known = (self._state.applied, self._state.newest)
        return next((verdict for verdict in known if verdict and verdict.revision.id == revision.id), None)

    async def _load(self, fetched: Fetched) -> tuple[JobSet, tuple[Finding, ...]]:
        try:
            return await asyncio.to_thread(self._load_and_check, fetched)
        except Refused as error:
            path = next((path for path, blob in fetched.tree.items() if blob == error.blob), ".")
            finding = Finding(error.code, "error", path, error.message, help=error.help)
            return JobSet(self.repo, fetched.revision, {}), (finding,)

    def _load_and_check(self, fetched: Fetched) -> tuple[JobSet, tuple[Finding, ...]]:
        loaded = self._loader.load(fetched.revision, fetched.tree, fetched.read, judge)
        findings = dict.fromkeys((*loaded.findings, *self._check(loaded)))
        return _with_files(loaded), tuple(findings)

    async def _decide(self, jobs: JobSet, findings: tuple[Finding, ...]) -> RevisionVerdict:
        if rejects(findings):
            verdict = RevisionVerdict(jobs.revision, "rejected", self._clock.now(), NO_DIFFERENCE, findings)
            await self._snapshots.save_rejected(self.repo, verdict)
            errors = [finding for finding in findings if finding.severity == "error"]
            log.warning(
                "revision_rejected: repository %r, %s: %d errors, the first in %s:%s: %s",
                self.repo,
                jobs.revision.id,
                len(errors),
                errors[0].path,
                errors[0].line or 1,
                errors[0].message,
            )
            return verdict
        difference = await self._engine.apply(jobs, findings)
        log.info(
            "revision_applied: repository %r, %s: %d jobs added, %d changed, %d removed",
            self.repo,
            jobs.revision.id,
            len(difference.added),
            len(difference.changed),
            len(difference.removed),
        )
        return RevisionVerdict(jobs.revision, "applied", self._clock.now(), difference, findings)

    # -- what others see ---------------------------------------------------------------------------------------

    def _settle(self, verdict: RevisionVerdict | None, fetched_at: Instant | None = None) -> None:
        """Show the verdict on what the source has now, or had before the server started."""
        if verdict is None:
            return
        state = replace(self._state, newest=verdict, error=None, fetched_at=fetched_at)
        if verdict.verdict == "applied":
            self._show(replace(state, status="synced", applied=verdict))
        else:
            self._show(replace(state, status="rejected"))

    def _fail(self, error: Exception) -> None:
        delay_s = min(LONGEST_RETRY_S, FIRST_RETRY_S * 2 ** min(self._failures, 10))
        self._failures += 1
        self._retry_at_s = self._clock.monotonic() + delay_s
        reason = _reason(error)
        if reason != self._state.error:
            unforeseen = None if isinstance(error, ApsisError) else error
            log.warning("sync_failed: repository %r: %s", self.repo, reason, exc_info=unforeseen)
        self._show(replace(self._state, status="fetch_failed", error=reason))

    def _show(self, state: RepoState) -> None:
        if state != self._state:
            self._state = state
            self._changed(state)

    # -- when to go on -----------------------------------------------------------------------------------------

    async def _listen(self) -> None:
        async for _ in self._source.changes():
            self._bell.set()

    async def _rest(self) -> None:
        """Wait for the bell; while the source fails, for the back-off instead, unless the bell means news."""
        while True:
            until = None
            if self._failures:
                left_s = self._retry_at_s - self._clock.monotonic()
                if left_s <= 0:
                    return
                until = self._clock.now() + TimeDelta(seconds=left_s)
            await self._clock.wait(self._bell, until)
            if self._bell.is_set():
                if not (self._failures and self._source.mode == "git"):
                    return
                self._bell.clear()


def _newest(verdicts: Iterable[RevisionVerdict]) -> RevisionVerdict | None:
    return next(iter(verdicts), None)


def _stored(applied: Applied) -> Read:
    """Return how to read the files of the last good revision from what the store gave."""
    paths = {blob: path for path, blob in applied.blobs.items()}
    return lambda blobs: {blob: applied.texts[paths[blob]].encode() for blob in blobs}


def _with_files(loaded: Loaded) -> JobSet:
    """Return the job set with the files that the store keeps, so that it can be loaded without the source."""
    files = {path: File(loaded.blobs[path], text) for path, text in loaded.texts.items()}
    return replace(loaded.jobs, files=files)


def _reason(error: Exception) -> str:
    if isinstance(error, ApsisError):
        return f"{error.message}. {error.help}" if error.help else error.message
    return f"unforeseen {type(error).__name__}: {error}"
