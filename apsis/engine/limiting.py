"""How long a run may wait, be behind its schedule, and run: timers when it enters a state, and what they bring."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from whenever import TimeDelta

from apsis.domain.condition import OnTimeout
from apsis.domain.events import Ended, GraceElapsed, TimedOut
from apsis.domain.state import State
from apsis.engine.messages import AskProbe
from apsis.engine.timers import BehindSchedule, ConditionLate, GraceOver, ProbeDue, ProgramLate, WaitedLong
from apsis.lib.duration import format_duration
from apsis.lib.seam import Failure, attempt

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from apsis.domain.run import Run
    from apsis.engine.book import Book
    from apsis.engine.turn import Turn

ENDS_AS: Final[Mapping[OnTimeout, State]] = {
    "error": State.ERROR,
    "skip": State.SKIPPED,
    "fail": State.FAILURE,
}


def set_limits(book: Book, run: Run, since: float) -> None:
    """Set the timers of a run that entered its state at `since` on the monotonic clock."""
    bound = run.bound
    if bound is None:
        return
    match run.state:
        case State.WAITING:
            waiting_s = _least(bound.limits.waiting_s, book.longest_wait_s)
            if waiting_s is not None:
                book.timers.after(since + waiting_s, WaitedLong(run.run_id, run.attempt, waiting_s))
            # A run that is tried again has started.
            if (behind_s := bound.limits.since_schedule_s) is not None and run.attempt == 1:
                last = run.schedule_time + TimeDelta(seconds=behind_s)
                book.timers.at(last, BehindSchedule(run.run_id, run.attempt, behind_s))
        case State.RUNNING:
            timeout = bound.program.timeout
            running_s = _least(bound.limits.running_s, timeout.duration_s if timeout is not None else None)
            if running_s is not None:
                book.timers.after(since + running_s, ProgramLate(run.run_id, run.attempt, running_s))
        case State.STOPPING:
            book.timers.after(since + bound.program.stop.grace_period_s, GraceOver(run.run_id, run.attempt))


def _program_late(book: Book, turn: Turn, run: Run, timer: ProgramLate) -> None:
    if run.state is State.RUNNING:
        book.happen(turn, run, TimedOut(f"timed out: ran longer than {format_duration(timer.limit_s)}"))


def _grace_over(book: Book, turn: Turn, run: Run, _timer: GraceOver) -> None:
    if run.state is State.STOPPING:
        book.happen(turn, run, GraceElapsed())


def _waited_long(book: Book, turn: Turn, run: Run, timer: WaitedLong) -> None:
    if run.state is State.WAITING:
        what = attempt("conditions", run.run_id, lambda: [w.words for w in book.waiting.why(run.run_id) if w.blocks])
        text = "" if isinstance(what, Failure) or not what else f": {what[0]}"
        words = f"waited longer than {format_duration(timer.limit_s)}{text}"
        book.happen(turn, run, Ended(State.ERROR, words))


def _behind_schedule(book: Book, turn: Turn, run: Run, timer: BehindSchedule) -> None:
    if run.state is State.WAITING:
        words = f"not started within {format_duration(timer.limit_s)} after its schedule time"
        book.happen(turn, run, Ended(State.ERROR, words))


def _condition_late(book: Book, turn: Turn, run: Run, timer: ConditionLate) -> None:
    condition = book.waiting.stuck_at(run.run_id, timer.number)
    if condition is None:
        book.waiting.begin_again(run.run_id, timer.number)
        return

    def work() -> tuple[State, str]:
        return ENDS_AS[condition.on_timeout], book.waiting.why(run.run_id)[timer.number].words

    end = attempt("conditions", run.run_id, work)
    state, text = (State.ERROR, f"a condition that broke: {end.message}") if isinstance(end, Failure) else end
    book.happen(turn, run, Ended(state, f"waited longer than {format_duration(timer.limit_s)}: {text}"))


def _probe_due(book: Book, turn: Turn, run: Run, timer: ProbeDue) -> None:
    if run.run_id in book.waiting:
        turn.instructions.append(AskProbe(run.run_id, timer.number))


def _least(*limits: float | None) -> float | None:
    return min((limit for limit in limits if limit is not None), default=None)


FIRE: Final[Mapping[type[Any], Callable[[Book, Turn, Run, Any], None]]] = {
    ProgramLate: _program_late,
    GraceOver: _grace_over,
    WaitedLong: _waited_long,
    BehindSchedule: _behind_schedule,
    ConditionLate: _condition_late,
    ProbeDue: _probe_due,
}
"""What a timer brings to the run that it is of, if the run is still in the attempt that it was set in."""
