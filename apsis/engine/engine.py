"""The engine as the rest of the server sees it: commands, and a view of what is coming and waiting."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from whenever import Instant

from apsis.domain.condition import Condition, Verdict
from apsis.domain.events import MarkAsked, SkipAsked, StartAsked, StopAsked
from apsis.domain.finding import Finding
from apsis.domain.job import Job
from apsis.domain.jobset import Difference, JobSet
from apsis.domain.run import Run
from apsis.domain.state import State
from apsis.engine.book import Book
from apsis.engine.inbox import Inbox
from apsis.engine.loop import Loop
from apsis.engine.messages import Apply, AskNewRun, AskRerun, AskRun, Message
from apsis.engine.perform import Performer
from apsis.engine.ports import Programs, Publisher, Store
from apsis.lib.clock import Clock
from apsis.spec.load import inline_job

INLINE_JOB_ID = "adhoc"
"""The job id of an inline job that names none."""


class Engine:
    """Runs jobs. It alone changes runs; every command goes through its inbox and returns when durable."""

    def __init__(
        self, store: Store, publisher: Publisher, programs: Programs, clock: Clock, noise: Callable[[], bytes]
    ) -> None:
        self._store = store
        self._clock = clock
        self._book = Book(noise)
        self._inbox = Inbox()
        self._performer = Performer(self._book.view, self._inbox, store, programs, clock)
        self._loop = Loop(self._book, self._inbox, store, publisher, self._performer, clock)

    async def restore(self, job_sets: Sequence[JobSet]) -> None:
        """Take over what an earlier server left, with the last good snapshots; once, before `run`."""
        now = self._clock.now()
        restored = await self._store.restore(now)
        await self._loop.finish(self._book.restore(restored, job_sets, now, self._clock.monotonic()))

    async def run(self) -> None:
        """Run until cancelled; raises what no seam caught, and the server must stop then."""
        try:
            await self._loop.run()
        finally:
            await self._performer.close()

    @property
    def failing(self) -> str | None:
        """Why the database refuses to take what happens; None: it takes it."""
        return self._loop.failing

    # -- view --------------------------------------------------------------------------------------------------

    @property
    def jobs(self) -> Mapping[str, Job]:
        """The applied jobs of all repositories, by id."""
        return self._book.view.jobs

    def coming(self, job_id: str, limit: int) -> Sequence[Run]:
        """Return the job's next scheduled runs, soonest first."""
        return self._book.view.coming(job_id, limit)

    def conditions(self, run_id: str) -> Sequence[tuple[Condition, Verdict | None]]:
        """Return the conditions of a waiting run, each with its last verdict, None if not asked yet."""
        return self._book.waiting.conditions(run_id)

    # -- commands ----------------------------------------------------------------------------------------------

    async def apply(self, jobs: JobSet, findings: tuple[Finding, ...]) -> Difference:
        """Make a revision the applied one of its repository."""
        result = await self._inbox.ask(Apply(jobs, findings))
        assert isinstance(result, Difference)  # noqa: S101 - what the book answers
        return result

    async def run_job(
        self,
        job_id: str,
        args: Mapping[str, str],
        *,
        who: str,
        schedule_time: Instant | None = None,
        label: str | None = None,
    ) -> Run:
        """Make an ad hoc run of an applied job, now or at `schedule_time`."""
        return await self._ask(AskNewRun(job_id, args, schedule_time, who, label))

    async def run_inline(
        self,
        job: Mapping[str, Any],
        args: Mapping[str, str],
        *,
        who: str,
        schedule_time: Instant | None = None,
        label: str | None = None,
    ) -> Run:
        """Make an ad hoc run of a job given by value, keys as in a job file."""
        name = job.get("job_id", INLINE_JOB_ID)
        return await self._ask(AskNewRun(inline_job(job, str(name)), args, schedule_time, who, label))

    async def start(self, run_id: str, *, who: str, reason: str | None = None) -> Run:
        """Start a scheduled run (its conditions still count) or a waiting one (they do not)."""
        return await self._ask(AskRun(run_id, StartAsked(who, reason=reason)))

    async def skip(self, run_id: str, *, who: str, reason: str | None = None) -> Run:
        """Skip a scheduled or waiting run."""
        return await self._ask(AskRun(run_id, SkipAsked(who, reason)))

    async def stop(self, run_id: str, *, who: str, reason: str | None = None) -> Run:
        """Stop a starting or running run; returns when it is stopping, not when it has ended."""
        return await self._ask(AskRun(run_id, StopAsked(who, reason)))

    async def mark(self, run_id: str, state: State, *, who: str, reason: str | None = None) -> Run:
        """Give a finished run another final state."""
        return await self._ask(AskRun(run_id, MarkAsked(who, state, reason)))

    async def rerun(self, run_id: str, *, who: str, reason: str | None = None) -> Run:
        """Make a new run of the same instance, now, as the job is defined now."""
        return await self._ask(AskRerun(run_id, who, reason))

    async def _ask(self, message: Message) -> Run:
        result = await self._inbox.ask(message)
        assert isinstance(result, Run)  # noqa: S101 - what the book answers
        return result
