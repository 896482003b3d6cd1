"""Runs that people ask for: ad hoc ones, of applied jobs or of jobs given by value, and reruns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec.structs import replace
from whenever import Instant, TimeDelta

from apsis.domain.args import Args, check_args
from apsis.domain.errors import BadRequest, BindError, NotFound
from apsis.domain.job import Bound, Job
from apsis.domain.run import Run, run_id_of
from apsis.domain.state import State
from apsis.engine.binding import bind
from apsis.lib.instant import EPOCH
from apsis.lib.seam import Failure
from apsis.lib.suggest import near

if TYPE_CHECKING:
    from apsis.domain.action import ScheduleJob
    from apsis.engine.book import Book
    from apsis.engine.messages import AskNewRun, AskRerun
    from apsis.engine.turn import Turn

FARTHEST: Final = TimeDelta(hours=24 * 36_525)
"""A century: what is asked for later than that is a slip of the keyboard."""


def new_run(book: Book, turn: Turn, message: AskNewRun) -> Run:
    """Make an ad hoc run.

    Raises NotFound (`job`), BadArgs, BindError, or BadRequest for a time or a job id that cannot be.
    """
    inline = isinstance(message.job, Job)
    job = message.job if isinstance(message.job, Job) else book.job(message.job)
    if inline and job.job_id in book.view.jobs:
        raise BadRequest(
            f"{job.job_id!r} is a job of the repository", help="Give the inline job another job_id, or none."
        )
    args, time = Args(message.args), message.schedule_time or turn.now
    check_args(job.job_id, job.params, args)
    _check_time(time, turn.now)
    run = Run(run_id_of(book.noise()), job.job_id, args, schedule_time=time, nominal_time=time).of_job(job)
    bound = bind(job, run)
    if isinstance(bound, Failure):
        raise BindError(f"job {job.job_id!r}: {bound.message}")
    if inline:
        _check_names(book, bound)
    run = replace(run, bound=bound, adhoc=True, label=message.label)
    return book.create(turn, run, "ad hoc run", who=message.who)


def rerun(book: Book, turn: Turn, old: Run, message: AskRerun) -> Run:
    """Make a new run of the same instance, now, as its job is defined now; if that is gone, as it was bound.

    Raises BindError, or BadRequest if there is nothing to run.
    """
    run = replace(
        old,
        run_id=run_id_of(book.noise()),
        schedule_time=turn.now,
        state=State.SCHEDULED,
        timestamps={},
        attempt=1,
        rerun_of=old.run_id,
        adhoc=True,
        timed_out=False,
        log_length=0,
        due=None,
        breached=(),
    )
    if run.job_id in book.view.jobs:
        run, bound = book.rebind(run)
        if isinstance(bound, Failure):
            raise BindError(f"a rerun of {old.run_id} cannot be bound: {bound.message}")
        run = replace(run, bound=bound)
    elif run.bound is None:
        raise BadRequest(f"run {old.run_id} was never bound and its job {old.job_id!r} is gone: nothing to rerun")
    because = f": {message.reason}" if message.reason else ""
    return book.create(turn, run, f"rerun of {old.run_id}{because}", who=message.who)


def scheduled_by(book: Book, turn: Turn, cause: Run, action: ScheduleJob) -> Run:
    """Make the run that an action of another run wants, now.

    Raises NotFound (`job`), BadArgs or BindError.
    """
    job, args = book.job(action.job_id), Args(action.args)
    check_args(job.job_id, job.params, args)
    run = Run(run_id_of(book.noise()), job.job_id, args, schedule_time=turn.now, nominal_time=turn.now).of_job(job)
    bound = bind(job, run)
    if isinstance(bound, Failure):
        raise BindError(bound.message)
    return book.create(turn, replace(run, bound=bound, adhoc=True), f"scheduled by run {cause.run_id}")


def _check_time(time: Instant, now: Instant) -> None:
    if not EPOCH <= time <= now + FARTHEST:
        raise BadRequest(f"schedule time {time.format_iso()} is too far away", help="Give one within a century.")


def _check_names(book: Book, bound: Bound) -> None:
    """No check has seen an inline job: it could wait for ever for a job, or share a pool that nobody has."""
    for pool in bound.pools:
        if pool.name not in book.room.sizes:
            raise NotFound("pool", pool.name, near(pool.name, book.room.sizes))
    for condition in bound.conditions:
        for read in condition.reads:
            job_id = read.instance.job_id
            if job_id not in book.view.jobs:
                raise NotFound("job", job_id, near(job_id, book.view.jobs))
