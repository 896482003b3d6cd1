"""Holding: a server that was told to look first starts nothing of what fell due, until a person lets it go."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Final

from apsis.domain.instructions import ConnectProgram, StartProgram
from apsis.domain.state import State
from apsis.engine import catching_up
from apsis.engine.messages import Apply
from apsis.engine.timers import CatchUpDue, PlanDue, RemakeDue, RunDue
from apsis.lib.instant import EPOCH
from apsis.lib.seam import Failure, attempt

if TYPE_CHECKING:
    from collections.abc import Iterator

    from whenever import Instant

    from apsis.domain.instructions import Instruction
    from apsis.domain.job import Job
    from apsis.domain.run import Run
    from apsis.engine.book import Book
    from apsis.engine.messages import Message
    from apsis.engine.timers import Timer
    from apsis.engine.turn import Turn

MOST_COUNTED: Final = 1_000
"""Runs of one job that are counted before it is `1,000 or more`."""


@dataclass(slots=True)
class Held:
    """What waits for the release: since when and why, timers that came, and what the restart had to do."""

    since: Instant
    reason: str
    timers: list[Timer] = field(default_factory=list)
    instructions: list[Instruction] = field(default_factory=list)

    def holds(self, run: Run) -> bool:
        """Return whether the run must not start yet: all that schedules want, and what was asked for before."""
        return not run.adhoc or run.due_at <= self.since


@dataclass(frozen=True, slots=True)
class Pending:
    """How many runs of a job are due and not started, and the oldest one's time; `more`: not all were counted."""

    job_id: str
    runs: int
    more: bool
    oldest: Instant


def sets_aside(book: Book, timer: Timer) -> bool:
    """Return whether the timer has to wait for the release, and keep it for then."""
    if book.held is None:
        return False
    if isinstance(timer, RunDue):
        run = book.view.get(timer.run_id)
        aside = run is not None and book.held.holds(run)
    else:
        aside = isinstance(timer, PlanDue | RemakeDue | CatchUpDue)
    if aside:
        book.held.timers.append(timer)
    return aside


def release(book: Book, turn: Turn) -> None:
    """Let go of all that is held; what fell due meanwhile is caught up with like a downtime."""
    held, book.held = book.held, None
    if held is None:
        return
    for timer in held.timers:
        book.timers.at(EPOCH, timer)
    turn.instructions.extend(held.instructions)
    book.settling.ask(run.run_id for run in book.view.runs() if run.state is State.WAITING)
    book.catch_up(turn.now)


def stopped(book: Book, turn: Turn, run_id: str) -> None:
    """Look for the program of a run that was starting before the restart, instead of starting it: it is to stop."""
    if book.held is not None and (start := StartProgram(run_id)) in book.held.instructions:
        book.held.instructions.remove(start)
        turn.instructions.append(ConnectProgram(run_id))


def may_apply(book: Book, message: Message) -> bool:
    """Return whether a revision may be applied now; while held only a repository's first, to show what that owes."""
    assert isinstance(message, Apply)  # noqa: S101 - only these are queued
    return not book.stale if book.held is None else message.jobs.repo not in book.pools


def _count(job: Job, planned: Instant, now: Instant) -> list[Instant]:
    return list(islice(catching_up.owed(job, planned, now), MOST_COUNTED))


def pending(book: Book, now: Instant) -> Iterator[Pending | None]:
    """Yield, job by job, what it owes: runs made and not started, and times not yet planned; None: it owes nothing."""
    made: dict[str, list[Instant]] = {}
    for run in book.view.runs():
        if run.state in (State.SCHEDULED, State.WAITING) and run.due_at <= now:
            made.setdefault(run.job_id, []).append(run.schedule_time)
    for job_id in sorted(book.view.jobs.keys() | made.keys()):
        times = made.get(job_id, [])
        job, planned = book.view.jobs.get(job_id), book.stale.get(job_id, book.view.planned.get(job_id))
        if job is not None and planned is not None and planned < now:
            counted = attempt("schedule", job_id, partial(_count, job, planned, now))
            times += [] if isinstance(counted, Failure) else counted
        more = len(times) >= MOST_COUNTED
        yield Pending(job_id, min(len(times), MOST_COUNTED), more, min(times)) if times else None
