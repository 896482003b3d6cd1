"""Making a revision the applied one: only what the changed jobs were to do is withdrawn and made anew."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from apsis.domain.jobset import Difference, difference
from apsis.engine.ports import JobsNews, SaveApplied, SavePlanned

if TYPE_CHECKING:
    from whenever import Instant

    from apsis.domain.run import Run
    from apsis.engine.book import Book
    from apsis.engine.messages import Apply
    from apsis.engine.turn import Turn


def apply(book: Book, turn: Turn, message: Apply, handled: Instant) -> Difference:
    """Swap the repository's jobs; the new ones' times begin behind `handled`, which is now unless the clock went back.

    All that is due was handled before, with the old jobs. Unchanged jobs keep their runs; a changed job's coming runs
    keep their id where instance and time stay; what nobody wants any more is withdrawn. Ad hoc runs and runs past
    `scheduled` are not touched.
    """
    view, new = book.view, message.jobs
    old = {job_id: job for job_id, job in view.jobs.items() if job.source.repo == new.repo}
    changes = difference(old, new.jobs)
    view.forget_settled(handled)
    coming = {
        run.run_id: run for id_ in (*changes.changed, *changes.removed) for run in view.coming(id_) if run.expected
    }
    for job_id in changes.removed:
        del view.jobs[job_id]
        book.planning.forget(job_id)
        turn.others.append(SavePlanned(job_id, None))
    view.jobs.update(new.jobs)
    for job_id in (*changes.changed, *changes.added):
        for run in book.planning.plan(turn, new.jobs[job_id], after=handled):
            kept = coming.pop(run.run_id, None)
            if kept is not None:
                _remake(book, turn, kept, run)
            elif view.get(run.run_id) is None:
                book.create(turn, run, "scheduled")
    for run in coming.values():
        view.drop(run.run_id)
        turn.withdraw(run)
        turn.touched.add(run.instance)
    turn.others.append(SaveApplied(new, changes, message.findings, turn.now))
    turn.jobs.append(JobsNews(new, changes))
    return changes


def _remake(book: Book, turn: Turn, kept: Run, made: Run) -> None:
    run = replace(kept, labels=made.labels, revision=made.revision, path=made.path, blob=made.blob)
    book.view.put(run)
    turn.save(run)
