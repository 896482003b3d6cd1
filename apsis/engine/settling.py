"""Who is asked whether it can start: the waiting runs that what happened concerns, a bounded number in a turn."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from apsis.domain.condition import Ends, Holds, Instance
from apsis.domain.events import Broke, Ended, Ready, StopAsked
from apsis.domain.state import State
from apsis.engine.messages import AskProbe
from apsis.engine.timers import ConditionLate, ProbeDue
from apsis.engine.waiting import Stuck
from apsis.lib.seam import Failure, attempt

if TYPE_CHECKING:
    from apsis.domain.run import Run
    from apsis.engine.book import Book
    from apsis.engine.messages import ProbeAnswered
    from apsis.engine.room import Full, Key
    from apsis.engine.turn import Turn

MOST_ASKED: Final = 200
"""Waiting runs that one turn asks: some milliseconds, however many wait for the same."""

MOST_SELDOM: Final = 16
"""A probe that cannot be asked is asked again after twice, four times … its interval, up to so many times that."""


class Settling:
    """The runs that are to be asked, and the room that has come; both in the order in which they came."""

    def __init__(self) -> None:
        self._asking: OrderedDict[str, None] = OrderedDict()
        self._freed: dict[Key, None] = {}

    @property
    def busy(self) -> bool:
        """Whether somebody is left to be asked."""
        return bool(self._asking or self._freed)

    def ask(self, run_ids: Iterable[str]) -> None:
        """Let these runs be asked; those that are to be asked already, once."""
        for run_id in run_ids:
            self._asking.setdefault(run_id)

    def free(self, key: Key) -> None:
        """Let those that wait for room at `key` be asked, in their order, as long as there is some."""
        self._freed[key] = None

    def settle(self, book: Book, turn: Turn) -> None:
        """Ask until nobody is left, or this turn has asked enough."""
        for _ in range(MOST_ASKED):
            if self._asking:
                _ask(book, turn, self._asking.popitem(last=False)[0])
            elif self._freed:
                self._ask_next(book, turn, next(iter(self._freed)))
            else:
                return

    def _ask_next(self, book: Book, turn: Turn, key: Key) -> None:
        run_id = book.room.first(key)
        if run_id is None or not _ask(book, turn, run_id):
            del self._freed[key]


def _ask(book: Book, turn: Turn, run_id: str) -> bool:
    """Ask a run; return whether the next in its queue should be asked too: it has left the queue."""
    if run_id not in book.waiting:
        return False
    run = book.view.get(run_id)
    assert run is not None  # noqa: S101 - what waits is unfinished
    if book.held is not None and book.held.holds(run):
        return False
    said = attempt("conditions", run_id, lambda: book.waiting.ask(run_id))
    queued_at = book.room.place_of(run_id)
    match said:
        case Failure():
            book.happen(turn, run, Broke(f"a condition broke: {said.message}"))
        case Holds():
            book.happen(turn, run, Ready())
        case Ends():
            book.happen(turn, run, Ended(said.state, said.reason))
        case Stuck():
            _wait(book, turn, run, said)
    return queued_at is None or book.room.place_of(run_id) != queued_at


def _wait(book: Book, turn: Turn, run: Run, stuck: Stuck) -> None:
    if stuck.full is not None:
        _wait_for_room(book, turn, run, stuck.full)
    elif (place := book.room.place_of(run.run_id)) is not None:
        book.room.leave(run.run_id)
        book.settling.free(place)
    if stuck.number is None:
        return
    if stuck.late_in_s is not None:
        late = ConditionLate(run.run_id, run.attempt, stuck.number, stuck.late_in_s)
        book.timers.after(turn.monotonic + stuck.late_in_s, late)
    if stuck.probe:
        turn.instructions.append(AskProbe(run.run_id, stuck.number))


def _wait_for_room(book: Book, turn: Turn, run: Run, full: Full) -> None:
    if full.policy == "skip":
        book.happen(turn, run, Ended(State.SKIPPED, full.reason))
        return
    place = book.room.place_of(run.run_id)
    book.room.queue(run, full.key)
    if place is not None and place != full.key:
        # It may have stood before others that need less room.
        book.settling.free(place)
    if full.policy == "replace" and isinstance(full.key, str):
        _make_room(book, turn, run, full.key, full.slots)


def _make_room(book: Book, turn: Turn, run: Run, pool: str, slots: int) -> None:
    """Stop the runs that are longest in the pool, as many as it takes; their end brings the room."""
    room = book.room.sizes.get(pool, 0) - book.view.taken(pool)
    for run_id, taken in list(book.view.in_pool(pool).items()):
        if room >= slots:
            return
        room += taken
        holder = book.view.get(run_id)
        if holder is not None and holder.state is not State.STOPPING:
            book.happen(turn, holder, StopAsked(f"pool {pool}", f"run {run.run_id} replaces it"), who=f"pool {pool}")


def answered(book: Book, turn: Turn, message: ProbeAnswered) -> None:
    """Take in what the outside answered; if the run waits on, ask again after the condition's interval."""
    run = book.view.get(message.run_id)
    if run is None or run.attempt != message.attempt or message.run_id not in book.waiting or run.bound is None:
        return
    book.waiting.answered(message.run_id, message.number, message.answer)
    if message.answer.holds:
        book.settling.ask([message.run_id])
        return
    polling = run.bound.conditions[message.number].polling
    assert polling is not None  # noqa: S101 - it was asked
    factor = min(2 ** book.waiting.brokenness(message.run_id, message.number), MOST_SELDOM)
    again = ProbeDue(run.run_id, run.attempt, message.number)
    book.timers.after(turn.monotonic + polling.every_s * factor, again)
    book.settling.ask([message.run_id])


def readers(book: Book, instance: Instance, state: State | None) -> None:
    """Let the runs be asked that care that a run of the instance is in `state` now."""
    book.settling.ask(book.waiting.readers(instance, state))
