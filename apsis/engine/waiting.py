"""Which waiting run reads which instance, so that a change asks only the runs that it concerns."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from apsis.domain.condition import Answer, Condition, Holds, Instance, Verdict
from apsis.domain.run import Run
from apsis.domain.state import State
from apsis.engine.messages import LookUp
from apsis.engine.view import View


@dataclass(slots=True)
class Entry:
    """A waiting run's conditions, and what each said last."""

    conditions: tuple[Condition, ...]
    verdicts: list[Verdict | None]


@dataclass(slots=True)
class Watched:
    """An instance that waiting runs read; `finished` is None until the store has answered.

    Only the answer to the newest `question` counts, and with it what ended since that was asked: the store may have
    read just before.
    """

    finished: frozenset[State] | None = None
    question: int = 0
    since: frozenset[State] = frozenset()
    run_ids: set[str] = field(default_factory=set)


class Waiting:
    """The index from instances to the runs that wait on them."""

    def __init__(self, view: View) -> None:
        self._view = view
        self._entries: dict[str, Entry] = {}
        self._watched: dict[Instance, Watched] = {}
        self._questions = 0

    def __contains__(self, run_id: str) -> bool:
        return run_id in self._entries

    def add(self, run: Run) -> list[LookUp]:
        """Watch what the run's conditions read; returns what the store must be asked."""
        assert run.bound is not None  # noqa: S101 - a waiting run is bound
        conditions = run.bound.conditions
        self._entries[run.run_id] = Entry(conditions, [None] * len(conditions))
        unknown: list[LookUp] = []
        for instance in dict.fromkeys(r.instance for c in conditions for r in c.reads):
            watched = self._watched.get(instance)
            if watched is None:
                watched = self._watched[instance] = Watched()
                unknown.extend(self.again(instance))
            watched.run_ids.add(run.run_id)
        return unknown

    def remove(self, run_id: str) -> None:
        """Stop watching for a run that waits no more."""
        entry = self._entries.pop(run_id, None)
        if entry is None:
            return
        for instance in dict.fromkeys(r.instance for c in entry.conditions for r in c.reads):
            watched = self._watched[instance]
            watched.run_ids.discard(run_id)
            if not watched.run_ids:
                del self._watched[instance]

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

    def readers(self, instance: Instance) -> Iterable[str]:
        """Return the ids of the waiting runs that read the instance."""
        watched = self._watched.get(instance)
        return sorted(watched.run_ids) if watched is not None else ()

    def ask(self, run_id: str) -> Verdict | None:
        """Ask the run's conditions in order, up to the first that does not hold; None: the store has yet to answer."""
        entry = self._entries[run_id]
        for index, condition in enumerate(entry.conditions):
            if any(self._watched[read.instance].finished is None for read in condition.reads):
                return None
            verdict = condition.verdict(_Facts(self._view, self._watched))
            entry.verdicts[index] = verdict
            if not isinstance(verdict, Holds):
                return verdict
        return Holds()

    def conditions(self, run_id: str) -> Sequence[tuple[Condition, Verdict | None]]:
        """Return a waiting run's conditions with their last verdicts."""
        entry = self._entries.get(run_id)
        return list(zip(entry.conditions, entry.verdicts, strict=True)) if entry is not None else []


@dataclass(frozen=True, slots=True)
class _Facts:
    view: View
    watched: dict[Instance, Watched]

    def states_of(self, instance: Instance) -> frozenset[State]:
        return self.view.states(instance) | (self.watched[instance].finished or frozenset())

    def others(self, instance: Instance, states: frozenset[State]) -> int:  # noqa: ARG002 - next commit
        return 0

    def answer(self) -> Answer | None:
        return None
