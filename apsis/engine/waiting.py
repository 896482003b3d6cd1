"""What waiting runs wait for: which instance each reads, what each condition said last, and why it does not start."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from apsis.domain.condition import Answer, Condition, Ends, Holds, Instance, Read, Verdict, Waits
from apsis.domain.run import Run
from apsis.domain.state import State
from apsis.engine.messages import LookUp
from apsis.engine.room import Full, Room
from apsis.engine.view import View

MOST_NAMED: Final = 20
"""Runs that are named as those that are waited for."""


@dataclass(slots=True)
class Entry:
    """A waiting run's conditions, what each said last, and what the outside answered, by number."""

    run: Run
    conditions: tuple[Condition, ...]
    reads: tuple[Read, ...]
    verdicts: list[Verdict | None]
    answers: dict[int, Answer] = field(default_factory=dict)
    broken: dict[int, int] = field(default_factory=dict)
    come_to: set[int] = field(default_factory=set)
    probed: set[int] = field(default_factory=set)
    stuck: "Stuck | None" = None


@dataclass(slots=True)
class Watched:
    """An instance that waiting runs read; `finished` is None until the store has answered.

    Only the answer to the newest `question` counts, and with it what ended since that was asked: the store may have
    read just before. `readers` are run ids by the states that they care for.
    """

    finished: frozenset[State] | None = None
    question: int = 0
    since: frozenset[State] = frozenset()
    readers: dict[frozenset[State], dict[str, None]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Stuck:
    """The run waits: for the condition of this number, or for room in a pool (None).

    `late_in_s`: it has come to the condition just now, which has a time limit. `probe`: the outside must be asked.
    `full`: there is no room.
    """

    number: int | None
    late_in_s: float | None = None
    probe: bool = False
    full: Full | None = None


class NotYet:
    """The store has yet to answer."""


NOT_YET: Final = NotYet()
Said = Holds | Ends | Stuck | NotYet


@dataclass(frozen=True, slots=True)
class Why:
    """One thing that a run waits for: a condition, or a pool (None).

    `verdict` None: not asked yet. `value` is what the outside answered last; `blocking` are runs that are waited for.
    """

    condition: Condition | None
    text: str
    verdict: Verdict | None
    value: str | None = None
    blocking: tuple[Run, ...] = ()

    @property
    def blocks(self) -> bool:
        """Whether it is what the run waits for now."""
        return isinstance(self.verdict, Waits)

    @property
    def words(self) -> str:
        """What is waited for, and what the outside said last about it."""
        return self.text if self.value is None else f"{self.text}; saw last: {self.value}"


class Waiting:
    """The waiting runs, and the index from instances to those that read them."""

    def __init__(self, view: View, room: Room) -> None:
        self._view = view
        self._room = room
        self._entries: dict[str, Entry] = {}
        self._watched: dict[Instance, Watched] = {}
        self._questions = 0

    def __contains__(self, run_id: str) -> bool:
        return run_id in self._entries

    def __len__(self) -> int:
        return len(self._entries)

    def add(self, run: Run) -> list[LookUp]:
        """Watch what the run's conditions read; returns what the store must be asked."""
        assert run.bound is not None  # noqa: S101 - a waiting run is bound
        conditions = run.bound.conditions
        reads = tuple(dict.fromkeys(read for condition in conditions for read in condition.reads))
        self._entries[run.run_id] = Entry(run, conditions, reads, [None] * len(conditions))
        unknown: list[LookUp] = []
        for read in reads:
            watched = self._watched.get(read.instance)
            if watched is None:
                watched = self._watched[read.instance] = Watched()
                unknown.extend(self.again(read.instance))
            watched.readers.setdefault(read.states, {})[run.run_id] = None
        return unknown

    def remove(self, run_id: str) -> None:
        """Stop watching for a run that waits no more."""
        self._room.leave(run_id)
        entry = self._entries.pop(run_id, None)
        if entry is None:
            return
        for read in entry.reads:
            watched = self._watched[read.instance]
            readers = watched.readers[read.states]
            readers.pop(run_id, None)
            if not readers:
                del watched.readers[read.states]
            if not watched.readers:
                del self._watched[read.instance]

    def again(self, instance: Instance) -> list[LookUp]:
        """Return what the store must be asked once this turn is durable; [] if no waiting run reads the instance."""
        watched = self._watched.get(instance)
        if watched is None:
            return []
        self._questions += 1
        watched.question, watched.since = self._questions, frozenset()
        return [LookUp(instance, watched.question)]

    def found(self, instance: Instance, question: int, finished: frozenset[State]) -> None:
        """Take in the store's answer: the final states that the instance's runs have."""
        watched = self._watched.get(instance)
        if watched is not None and watched.question == question:
            watched.finished = finished | watched.since

    def finished(self, instance: Instance, state: State) -> None:
        """Take in that a run of the instance has just ended in `state`."""
        if (watched := self._watched.get(instance)) is not None:
            watched.since |= {state}
            if watched.finished is not None:
                watched.finished |= {state}

    def answered(self, run_id: str, number: int, answer: Answer) -> None:
        """Take in what the outside answered to a condition of the run."""
        if (entry := self._entries.get(run_id)) is not None:
            entry.answers[number] = answer
            entry.broken[number] = entry.broken.get(number, 0) + 1 if answer.broken else 0

    def readers(self, instance: Instance, state: State | None) -> Iterable[str]:
        """Return the ids of the waiting runs that care that a run of the instance is in `state`; None: all."""
        watched = self._watched.get(instance)
        if watched is None:
            return ()
        groups = watched.readers.items()
        return [run_id for states, run_ids in groups if state is None or state in states for run_id in run_ids]

    def ask(self, run_id: str) -> Said:
        """Ask the run's conditions in order, up to the first that does not hold, then its pools."""
        entry = self._entries[run_id]
        entry.stuck = None
        for number, condition in enumerate(entry.conditions):
            said = self._ask_one(entry, number, condition)
            if not isinstance(said, Holds):
                entry.stuck = said if isinstance(said, Stuck) else None
                return said
        assert entry.run.bound is not None  # noqa: S101 - a waiting run is bound
        for pool in entry.run.bound.pools:
            if (full := self._room.of_pool(entry.run, pool)) is not None:
                entry.stuck = Stuck(None, full=full)
                return entry.stuck
        return Holds()

    def stuck_at(self, run_id: str, number: int) -> Condition | None:
        """Return the condition of this number if it is what the run waits for."""
        entry = self._entries.get(run_id)
        if entry is None or entry.stuck is None or entry.stuck.number != number:
            return None
        return entry.conditions[number]

    def begin_again(self, run_id: str, number: int) -> None:
        """The run does not wait for this condition now; its time begins anew when the run comes to it again."""
        if (entry := self._entries.get(run_id)) is not None:
            entry.come_to.discard(number)

    def brokenness(self, run_id: str, number: int) -> int:
        """Return how often in a row the condition's probe could not be asked."""
        entry = self._entries.get(run_id)
        return entry.broken.get(number, 0) if entry is not None else 0

    def why(self, run_id: str) -> Sequence[Why]:
        """Return all that a waiting run waits for, in the order in which it is asked."""
        entry = self._entries.get(run_id)
        if entry is None:
            return []
        whys = [self._why(entry, number, condition) for number, condition in enumerate(entry.conditions)]
        assert entry.run.bound is not None  # noqa: S101 - a waiting run is bound
        for pool in entry.run.bound.pools:
            full = entry.stuck.full if entry.stuck is not None else None
            full = full if full is not None and full.key == pool.name else None
            verdict = Waits(full.reason) if full is not None else None
            holders = self._room.holders(pool.name, MOST_NAMED) if full is not None else ()
            text = f"{pool.slots} slot{'s' if pool.slots > 1 else ''} of pool {pool.name}"
            whys.append(Why(None, text, verdict, blocking=tuple(self._view.some(holders))))
        return whys

    def _ask_one(self, entry: Entry, number: int, condition: Condition) -> Holds | Ends | Stuck | NotYet:
        if condition.polling is not None and isinstance(entry.verdicts[number], Holds):
            return Holds()  # what the outside has said once, it has said
        if any(self._watched[read.instance].finished is None for read in condition.reads):
            return NOT_YET
        full = self._room.of_instance(entry.run, condition.cap) if condition.cap is not None else None
        if condition.cap is not None:
            verdict: Verdict = Holds() if full is None else Waits(full.reason)
        else:
            verdict = condition.verdict(_Facts(self._view, self._watched, entry, number))
        entry.verdicts[number] = verdict
        if isinstance(verdict, Waits):
            first = number not in entry.come_to
            entry.come_to.add(number)
            late_in_s = condition.timeout_s if first else None
            # Once asked, the outside is asked again for as long as the run waits.
            probe = condition.polling is not None and number not in entry.probed
            entry.probed.add(number)
            return Stuck(number, late_in_s, probe, full)
        return verdict

    def _why(self, entry: Entry, number: int, condition: Condition) -> Why:
        verdict = entry.verdicts[number]
        answer = entry.answers.get(number)
        blocking: Sequence[str] = ()
        if isinstance(verdict, Waits):
            if condition.cap is not None:
                blocking = self._room.holders(condition.cap.instance, MOST_NAMED)
            elif condition.reads:
                blocking = [
                    run_id
                    for read in condition.reads
                    for run_id in self._view.of_instance(read.instance, frozenset(State), MOST_NAMED)
                ]
        value = answer.value if answer else None
        return Why(condition, condition.describe(), verdict, value, tuple(self._view.some(blocking)))


@dataclass(frozen=True, slots=True)
class _Facts:
    view: View
    watched: dict[Instance, Watched]
    entry: Entry
    number: int

    def states_of(self, instance: Instance) -> frozenset[State]:
        return self.view.states(instance) | (self.watched[instance].finished or frozenset())

    def others(self, instance: Instance, states: frozenset[State]) -> int:
        own = instance == self.entry.run.instance and self.entry.run.state in states
        return self.view.count(instance, states) - own

    def answer(self) -> Answer | None:
        return self.entry.answers.get(self.number)
