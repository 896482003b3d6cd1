"""Making a revision the applied one: only what the changed jobs were to do is withdrawn and made anew."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from apsis.domain.errors import BadRequest
from apsis.domain.jobset import Difference, difference
from apsis.engine import planner, settling
from apsis.engine.catching_up import TICK
from apsis.engine.ports import JobsNews, SaveApplied, SavePlanned
from apsis.engine.timers import RemakeDue, RunDue
from apsis.lib.instant import EPOCH

if TYPE_CHECKING:
    from whenever import Instant

    from apsis.domain.job import Job
    from apsis.domain.run import Run
    from apsis.engine.book import Book
    from apsis.engine.messages import Apply
    from apsis.engine.turn import Turn


def apply(book: Book, turn: Turn, message: Apply, handled: Instant) -> Difference:
    """Swap the repository's jobs; the new ones' times begin behind `handled`, which is now unless the clock went back.

    All that is due was handled before, with the old jobs. Unchanged jobs keep their runs. The changed ones are only
    noted, durably, and made anew one by one in the next turns: a commit of ten thousand jobs must not hold the loop.
    Raises BadRequest if another repository has one of the jobs.
    """
    view, new = book.view, message.jobs
    others = {
        job_id for repo, jobs in book.jobs_of.items() if repo != new.repo for job_id in new.jobs.keys() & jobs.keys()
    }
    if others:
        raise BadRequest(
            f"another repository has jobs of the same ids already: {', '.join(sorted(others)[:5])}",
            help="Give the repositories prefixes that no folder of the one without a prefix bears.",
        )
    old = book.jobs_of.get(new.repo, {})
    changes = difference(old, new.jobs)
    # A job whose schedule is broken may still be planned from long ago, when it is mended.
    view.forget_settled(min(handled, min(view.planned.values(), default=handled)))
    for pool in book.room.resize(book.pools.get(new.repo, {}), new.pools):
        book.settling.free(pool)
    book.pools[new.repo] = new.pools
    book.jobs_of[new.repo] = new.jobs
    if new.jobs and new.repo not in book.begun:
        book.begun.add(new.repo)
        handled = min(handled, book.since or handled)
    for job_id in changes.removed:
        del view.jobs[job_id]
    view.jobs.update(new.jobs)
    for job_id in (*changes.removed, *changes.changed, *changes.added):
        book.stale[job_id] = handled
        book.timers.at(EPOCH, RemakeDue(job_id))
        turn.others.append(SavePlanned(job_id, handled, remake=True))
    turn.others.append(SaveApplied(new, changes, message.findings, turn.now))
    turn.jobs.append(JobsNews(new, changes))
    return changes


def remake(book: Book, turn: Turn, job_id: str) -> None:
    """Make a changed job's coming runs anew.

    They keep their id where instance and time stay; what nobody wants any more is withdrawn. Ad hoc runs and runs
    past `scheduled` are not touched. A removed job is forgotten with this.
    """
    handled = book.stale.pop(job_id)
    view, job = book.view, book.view.jobs.get(job_id)
    coming = {run.run_id: run for run in view.coming(job_id) if run.expected}
    book.planning.changed(job_id)
    if job is None:
        book.planning.forget(job_id)
        turn.others.append(SavePlanned(job_id, None))
    else:
        # From here on, even if a schedule breaks now and is mended later.
        view.planned[job_id] = handled
        for run in book.planning.plan(turn, job, after=handled):
            kept = coming.pop(run.run_id, None)
            if kept is not None:
                _keep(book, turn, kept, run)
            elif view.get(run.run_id) is None:
                book.create(turn, run, "scheduled")
        _keep_late(book, turn, job, handled, coming)
    for run in coming.values():
        view.drop(run.run_id)
        turn.withdraw(run)
        settling.readers(book, run.instance, None)


def _keep_late(book: Book, turn: Turn, job: Job, handled: Instant, coming: dict[str, Run]) -> None:
    """Keep the runs whose time has passed but which jitter makes due later, if the job still has that time."""
    late = [run for run in coming.values() if run.schedule_time <= handled]
    if late:
        first = min(run.schedule_time for run in late) - TICK
        for made in planner.between(job, first, handled):
            if made.run_id in coming:
                _keep(book, turn, coming.pop(made.run_id), made)


def _keep(book: Book, turn: Turn, kept: Run, made: Run) -> None:
    run = replace(kept, labels=made.labels, revision=made.revision, path=made.path, blob=made.blob, due=made.due)
    book.view.put(run)
    turn.save(run)
    if run.due_at != kept.due_at:
        book.timers.at(run.due_at, RunDue(run.run_id, run.attempt))
