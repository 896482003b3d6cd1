"""Actions: what a run's change brings about. Another job's run is made in the same turn; messages go to the outbox.

A message is durable together with the change that it is about, and delivered afterwards, at least once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from apsis.domain.action import Delivery, ScheduleJob
from apsis.domain.errors import ApsisError
from apsis.domain.events import Noted
from apsis.domain.state import State
from apsis.engine import asking
from apsis.engine.messages import RingOutbox
from apsis.engine.ports import SaveDelivery, SettleDelivery
from apsis.lib.instant import format_instant
from apsis.lib.seam import Failure, attempt

if TYPE_CHECKING:
    from collections.abc import Sequence

    from apsis.domain.action import Action, DeadlineKind
    from apsis.domain.run import Run
    from apsis.engine.book import Book
    from apsis.engine.messages import DeliveryReported
    from apsis.engine.turn import Turn


def act(book: Book, turn: Turn, before: Run, after: Run) -> None:
    """Do what the run's actions want now that it has entered a state."""
    again = after.state is State.SCHEDULED
    tried = before.attempt
    for number, action in enumerate(_actions_of(book, after)):
        if action.if_.on_state(after.state, tried, again=again):
            _do(book, turn, after, number, action, {})


def act_on_deadline(book: Book, turn: Turn, run: Run, kind: DeadlineKind, words: str) -> None:
    """Do what the run's actions want now that it has missed a deadline."""
    for number, action in enumerate(_actions_of(book, run)):
        if action.if_.on_deadline(kind, run.attempt):
            _do(book, turn, run, number, action, {"deadline": kind, "message": words})


def reported(book: Book, turn: Turn, run: Run | None, report: DeliveryReported) -> None:
    """Settle a try to deliver a message; the run's log tells of success, of the first failure and of giving up."""
    delivery, error = report.delivery, report.error
    turn.others.append(SettleDelivery(delivery.key, error, report.retry_at))
    if run is None:
        return
    what = delivery.message.type
    if error is None:
        book.happen(turn, run, Noted(f"{what} delivered"))
    elif report.retry_at is None:
        book.happen(turn, run, Noted(f"{what} not delivered, given up: {error}"))
    elif delivery.tries == 0:
        book.happen(turn, run, Noted(f"{what} not delivered yet: {error}; trying again"))


def _actions_of(book: Book, run: Run) -> Sequence[Action]:
    """Return what the run is bound to; one that could not be bound may still have actions that say so."""
    if run.bound is not None:
        return run.bound.actions
    job = book.view.jobs.get(run.job_id)
    if job is None or not job.template.actions:
        return ()

    def bind() -> Sequence[Action]:
        try:
            return job.template.bind_actions(run.job_id, run.run_id, run.args, run.nominal_time)
        except ApsisError:
            return ()

    actions = attempt("action", run.run_id, bind)
    return () if isinstance(actions, Failure) else actions


def _do(book: Book, turn: Turn, run: Run, number: int, action: Action, extra: dict[str, Any]) -> None:
    def work() -> str | None:
        if isinstance(action, ScheduleJob):
            try:
                made = asking.scheduled_by(book, turn, run, action)
            except ApsisError as error:
                return f"{action.job_id} not scheduled: {error.message}"
            return f"scheduled {action.job_id}, run {made.run_id}"
        key = f"{run.run_id}-{run.log_length}-{number}"
        event = {**_event(run, turn), **extra}
        turn.others.append(SaveDelivery(Delivery(key, run.run_id, action, event, turn.now)))
        turn.instructions.append(RingOutbox())
        return None

    said = attempt("action", run.run_id, work)
    words = f"an action broke: {said.message}" if isinstance(said, Failure) else said
    if words is not None:
        # The run may have gone on by its own actions; what it is now is noted.
        book.happen(turn, turn.steps[run.run_id].run, Noted(words))


def _event(run: Run, turn: Turn) -> dict[str, Any]:
    return {
        "run_id": run.run_id,
        "job_id": run.job_id,
        "args": dict(run.args),
        "state": run.state.value,
        "message": run.message or "",
        "attempt": run.attempt,
        "schedule_time": format_instant(run.nominal_time),
        "time": format_instant(turn.now),
        "labels": list(run.labels),
        "revision": run.revision,
    }
