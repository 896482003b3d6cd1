"""Deadlines: a run that is late goes on, and who wants to know is told, once a breach."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from whenever import TimeDelta

from apsis.domain.events import DeadlineMissed
from apsis.domain.state import State
from apsis.engine import acting
from apsis.engine.messages import FindUsual
from apsis.engine.timers import DeadlineDue
from apsis.engine.view import ON
from apsis.lib.duration import format_duration

if TYPE_CHECKING:
    from apsis.domain.action import DeadlineKind
    from apsis.domain.run import Run
    from apsis.engine.book import Book
    from apsis.engine.messages import UsualFound
    from apsis.engine.turn import Turn

WORDS: Final[dict[DeadlineKind, str]] = {
    "start_by": "not started within {} after its schedule time",
    "finish_by": "not finished within {} after its schedule time",
    "longer_than": "running longer than {}",
}


def watch_schedule(book: Book, run: Run) -> None:
    """Set the deadlines that count from the schedule time, of a run that was just bound or is taken over."""
    if run.bound is None or not run.bound.deadlines.counts_from_schedule_time:
        return
    for kind, seconds in run.bound.deadlines.after_schedule_time():
        if kind not in run.breached:
            due = DeadlineDue(run.run_id, 0, kind, WORDS[kind].format(format_duration(seconds)))
            book.late.at(run.schedule_time + TimeDelta(seconds=seconds), due)


def watch_running(book: Book, turn: Turn, run: Run, since: float) -> None:
    """Set the deadlines of a run that has been running since `since` on the monotonic clock."""
    if run.bound is None or "longer_than" in run.breached:
        return
    deadlines = run.bound.deadlines
    if deadlines.longer_than_s is not None:
        _watch_longer(book, run, since + deadlines.longer_than_s, format_duration(deadlines.longer_than_s))
    if deadlines.longer_than_factor is not None:
        turn.instructions.append(FindUsual(run.run_id, since))


def usual_found(book: Book, message: UsualFound) -> None:
    """Take in how long the job's runs usually take."""
    run = book.view.get(message.run_id)
    if run is None or run.attempt != message.attempt or run.state not in ON or run.bound is None:
        return
    factor = run.bound.deadlines.longer_than_factor
    if message.seconds is None or factor is None:
        return
    limit = factor * message.seconds
    words = f"{format_duration(round(limit, 1))}, {factor:g} x its usual duration"
    _watch_longer(book, run, message.since + limit, words)


def fire(book: Book, turn: Turn, run: Run, timer: DeadlineDue) -> None:
    """Report a breach, if it is one and was not reported before."""
    # A run that is tried again has started.
    late = State.STARTING not in run.timestamps if timer.kind == "start_by" else True
    if late and timer.kind not in run.breached:
        after = book.happen(turn, run, DeadlineMissed(timer.kind, f"late: {timer.words}"))
        acting.act_on_deadline(book, turn, after, timer.kind, timer.words)


def _watch_longer(book: Book, run: Run, at: float, words: str) -> None:
    book.late.after(at, DeadlineDue(run.run_id, run.attempt, "longer_than", WORDS["longer_than"].format(words)))
