"""The engine as the rest of the server sees it: commands, and a view of what is coming and waiting."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from whenever import Instant

from apsis.domain.action import Delivery
from apsis.domain.condition import Answer, Condition
from apsis.domain.events import MarkAsked, SkipAsked, StartAsked, StopAsked
from apsis.domain.finding import Finding
from apsis.domain.job import Job
from apsis.domain.jobset import Difference, JobSet
from apsis.domain.run import Run
from apsis.domain.state import State
from apsis.engine import holding, planner
from apsis.engine.book import Book
from apsis.engine.holding import Pending
from apsis.engine.inbox import Inbox
from apsis.engine.loop import Loop
from apsis.engine.messages import Apply, AskNewRun, AskRerun, AskRun, DeliveryReported, Message, Release
from apsis.engine.perform import Performer
from apsis.engine.ports import Outbox, Probes, Programs, Publisher, Store
from apsis.engine.room import PoolState
from apsis.engine.waiting import MOST_NAMED, Why
from apsis.lib.clock import Clock
from apsis.lib.seam import Failure, attempt
from apsis.spec.load import inline_job

INLINE_JOB_ID = "adhoc"
"""The job id of an inline job that names none."""


class Nobody:
    """Who is asked and told where there is no outside: a simulation, a benchmark."""

    async def ask(self, run: Run, condition: Condition) -> Answer:
        """Say that nobody can be asked."""
        return Answer(False, f"nobody can be asked for run {run.run_id}: {condition.describe()}", broken=True)

    def ring(self) -> None:
        """Deliver nothing."""


class Engine:
    """Runs jobs. It alone changes runs; every command goes through its inbox and returns when durable."""

    def __init__(
        self,
        store: Store,
        publisher: Publisher,
        programs: Programs,
        clock: Clock,
        noise: Callable[[], bytes],
        *,
        probes: Probes | None = None,
        outbox: Outbox | None = None,
        longest_wait_s: float | None = None,
    ) -> None:
        self._store = store
        self._clock = clock
        self._book = Book(noise, longest_wait_s)
        self._inbox = Inbox()
        nobody = Nobody()
        self._performer = Performer(
            self._book.view, self._inbox, store, programs, probes or nobody, outbox or nobody, clock
        )
        self._loop = Loop(self._book, self._inbox, store, publisher, self._performer, clock)

    async def restore(
        self, job_sets: Sequence[JobSet], *, hold: str | None = None, since: Instant | None = None
    ) -> None:
        """Take over what an earlier server left, with the last good snapshots; once, before `run`.

        With `hold`, which says why, nothing that fell due starts before `release`. In a new database the first jobs
        are planned from `since` instead of from now.
        """
        now = self._clock.now()
        restored = await self._store.restore(now)
        turn = self._book.restore(restored, job_sets, now, self._clock.monotonic(), hold=hold, since=since)
        await self._loop.finish(turn)

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

    def upcoming(self, job_id: str, limit: int) -> Sequence[Run]:
        """Return the job's next scheduled runs like `coming`; those beyond what is planned are computed, not made."""
        made = self._book.view.coming(job_id, limit)
        job, planned = self.jobs.get(job_id), self._book.view.planned.get(job_id)
        if job is None or planned is None or len(made) == limit:
            return made
        more = attempt("schedule", job_id, lambda: planner.beyond(job, planned, limit - len(made)))
        return [*made, *([] if isinstance(more, Failure) else more)]

    def why(self, run_id: str) -> Sequence[Why]:
        """Return all that a waiting run waits for, in the order in which it is asked; [] if it does not wait."""
        return self._book.waiting.why(run_id)

    @property
    def held(self) -> str | None:
        """Why nothing that fell due starts before `release`; None: it starts."""
        return self._book.held.reason if self._book.held is not None else None

    def pending(self) -> Iterator[Pending | None]:
        """Yield, job by job, how many runs it owes, due by now and not started; None for one that owes none.

        Counting a long downtime takes a while: who asks lets others have the loop between jobs.
        """
        return holding.pending(self._book, self._clock.now())

    def pools(self) -> Sequence[PoolState]:
        """Return the pools by name: how full they are, how many wait, who is in them."""
        return self._book.room.pools(MOST_NAMED)

    @property
    def sizes(self) -> Mapping[str, int]:
        """How much the engine has in memory, by what it is."""
        book = self._book
        return {
            "jobs": len(book.view.jobs),
            "unfinished_runs": len(book.view),
            "waiting_runs": len(book.waiting),
            "timers": len(book.timers),
        }

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

    async def release(self, *, who: str) -> None:
        """Let go of what was held since the start."""
        await self._inbox.ask(Release(who))

    async def delivered(self, delivery: Delivery, error: str | None, retry_at: Instant | None) -> None:
        """Report a try to deliver a message; returns when it is durable.

        `error` says why it failed, None: it was delivered. Without `retry_at` the message is done with.
        """
        await self._inbox.ask(DeliveryReported(delivery, error, retry_at))

    async def rerun(self, run_id: str, *, who: str, reason: str | None = None) -> Run:
        """Make a new run of the same instance, now, as the job is defined now."""
        return await self._ask(AskRerun(run_id, who, reason))

    async def _ask(self, message: Message) -> Run:
        result = await self._inbox.ask(message)
        assert isinstance(result, Run)  # noqa: S101 - what the book answers
        return result
