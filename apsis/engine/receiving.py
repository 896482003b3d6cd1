"""What the loop is told and asked, message by message. A command's error is its answer, and changes nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from apsis.domain.errors import ApsisError, BindError, IllegalTransition, NotFound
from apsis.domain.events import Broke, StartAsked
from apsis.domain.state import State
from apsis.engine import acting, asking, deadlines, holding, settling
from apsis.engine.messages import (
    Apply,
    AskNewRun,
    AskRerun,
    AskRun,
    DeliveryReported,
    Envelope,
    Happened,
    InstanceFound,
    LoadRun,
    ProbeAnswered,
    Release,
    Result,
    RunLoaded,
    UsualFound,
)
from apsis.lib.seam import Failure

if TYPE_CHECKING:
    from apsis.domain.run import Run
    from apsis.engine.book import Book
    from apsis.engine.turn import Turn


class Later:
    """The answer comes in a later turn."""


LATER: Final = Later()


def receive(book: Book, turn: Turn, envelope: Envelope) -> None:
    """Let a message happen, and note its answer."""
    try:
        answer = RECEIVE[type(envelope.message)](book, turn, envelope, envelope.message)
    except ApsisError as error:
        turn.answers.append((envelope, error))
    else:
        if not isinstance(answer, Later):
            turn.answers.append((envelope, answer))


def _ask_run(book: Book, turn: Turn, envelope: Envelope, message: AskRun) -> Result | Later:
    run = book.current(turn, message.run_id)
    return load_first(book, turn, envelope, message.run_id) if run is None else _asked(book, turn, run, message)


def _asked(book: Book, turn: Turn, run: Run, message: AskRun) -> Run:
    event = message.event
    if isinstance(event, StartAsked) and run.state is State.SCHEDULED and run.bound is None:
        run, bound = book.rebind(run)
        if isinstance(bound, Failure):
            raise BindError(f"run {run.run_id} cannot be bound: {bound.message}")
        event = replace(event, bound=bound)
    return book.happen(turn, run, event, who=event.who)


def _ask_rerun(book: Book, turn: Turn, envelope: Envelope, message: AskRerun) -> Result | Later:
    run = book.view.get(message.run_id)
    if run is None:
        return load_first(book, turn, envelope, message.run_id)
    return asking.rerun(book, turn, run, message)


def _ask_new_run(book: Book, turn: Turn, _envelope: Envelope, message: AskNewRun) -> Result:
    return asking.new_run(book, turn, message)


def _ask_apply(book: Book, _turn: Turn, envelope: Envelope, _message: Apply) -> Later:
    book.applies.append(envelope)
    return LATER


def _release(book: Book, turn: Turn, _envelope: Envelope, _message: Release) -> None:
    holding.release(book, turn)


def _happened(book: Book, turn: Turn, _envelope: Envelope, message: Happened) -> None:
    run = book.view.get(message.run_id)
    if run is None or run.attempt != message.attempt:
        return  # late news of a finished run, or of an attempt that is over
    try:
        book.happen(turn, run, message.event)
    except IllegalTransition as error:
        book.happen(turn, run, Broke(f"unexpected: {error.message}"))


def _probe_answered(book: Book, turn: Turn, _envelope: Envelope, message: ProbeAnswered) -> None:
    settling.answered(book, turn, message)


def _usual_found(book: Book, _turn: Turn, _envelope: Envelope, message: UsualFound) -> None:
    deadlines.usual_found(book, message)


def _delivery_reported(book: Book, turn: Turn, envelope: Envelope, message: DeliveryReported) -> Later | None:
    run = book.view.get(message.delivery.run_id)
    if run is None:
        return load_first(book, turn, envelope, message.delivery.run_id)
    acting.reported(book, turn, run, message)
    return None


def _instance_found(book: Book, _turn: Turn, _envelope: Envelope, message: InstanceFound) -> None:
    book.waiting.found(message.instance, message.question, message.states)
    settling.readers(book, message.instance, None)


def load_first(book: Book, turn: Turn, envelope: Envelope, run_id: str) -> Later:
    """Ask the store for a finished run; commands for it queue up, so that each sees what the one before did."""
    if run_id not in book.loading:
        turn.instructions.append(LoadRun(run_id))
    book.loading.setdefault(run_id, []).append(envelope)
    return LATER


def _run_loaded(book: Book, turn: Turn, _envelope: Envelope, loaded: RunLoaded) -> None:
    found = book.view.get(loaded.run_id) or loaded.run
    for asked in book.loading.pop(loaded.run_id, []):
        try:
            answer: Result = _of_loaded(book, turn, found, asked, loaded)
        except ApsisError as error:
            answer = error
        turn.answers.append((asked, answer))
        # What happened to it is what the next one sees.
        step = turn.steps.get(loaded.run_id)
        found = step.run if step is not None else found


def _of_loaded(book: Book, turn: Turn, found: Run | None, asked: Envelope, loaded: RunLoaded) -> Result:
    message = asked.message
    if isinstance(message, DeliveryReported):
        # A run that cannot be read gets no note; but its message is settled, or it would be sent for ever.
        acting.reported(book, turn, found, message)
        return None
    if found is None:
        raise loaded.error or NotFound("run", loaded.run_id)
    if isinstance(message, AskRerun):
        return asking.rerun(book, turn, found, message)
    assert isinstance(message, AskRun)  # noqa: S101 - nothing else loads first
    return _asked(book, turn, found, message)


RECEIVE: Final[Mapping[type[object], Callable[[Book, Turn, Envelope, Any], Result | Later]]] = {
    AskRun: _ask_run,
    AskRerun: _ask_rerun,
    AskNewRun: _ask_new_run,
    Apply: _ask_apply,
    Release: _release,
    Happened: _happened,
    ProbeAnswered: _probe_answered,
    UsualFound: _usual_found,
    DeliveryReported: _delivery_reported,
    InstanceFound: _instance_found,
    RunLoaded: _run_loaded,
}
