"""A dependency: the run waits for a run of another instance."""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from apsis.conditions.base import Base
from apsis.domain.args import Args
from apsis.domain.condition import Ends, Facts, Holds, Instance, OnTimeout, Read, Verdict, Waits
from apsis.domain.events import Ended, MarkAsked
from apsis.domain.state import FINISHED, State
from apsis.domain.transition import AFTER


@dataclass(frozen=True, slots=True)
class Dependency(Base):
    """Holds once a run of exactly the instance is, ever, in one of `states`.

    `exist: true` ends the run as error if no run of the instance exists that could still get there; a tuple of
    states ends it if none is in those.
    """

    job_id: str
    args: Mapping[str, str] = field(default_factory=dict)
    states: tuple[State, ...] = (State.SUCCESS,)
    exist: bool | tuple[State, ...] = False
    timeout_s: float | None = None
    on_timeout: OnTimeout = "error"
    type: Literal["dependency"] = "dependency"

    @property
    def instance(self) -> Instance:
        """What is waited for."""
        return Instance(self.job_id, Args(self.args))

    @property
    def reads(self) -> tuple[Read, ...]:
        """The one instance; a run that leaves the last needed state enters some other."""
        return (Read(self.instance, frozenset(State) if self.exist else frozenset(self.states)),)

    def verdict(self, facts: Facts) -> Verdict:
        """Hold, wait, or end as error where nothing that exists could fulfil it."""
        found = facts.states_of(self.instance)
        if not found.isdisjoint(self.states):
            return Holds()
        needed = self._needed()
        if needed and found.isdisjoint(needed):
            return Ends(State.ERROR, f"no run of {self._name()} is {_words(needed)}")
        return Waits(f"waiting for {self._name()} to be {_words(self.states)}")

    def describe(self) -> str:
        """Say the instance and the states."""
        return f"dependency on {self._name()} in {_words(self.states)}"

    def _needed(self) -> tuple[State, ...]:
        if isinstance(self.exist, bool):
            return reaching(self.states) if self.exist else ()
        return self.exist

    def _name(self) -> str:
        return " ".join((self.job_id, *(f"{name}={value}" for name, value in sorted(self.args.items()))))


def reaching(targets: tuple[State, ...]) -> tuple[State, ...]:
    """Return the states from which a run can get into one of `targets` without a person's mark."""
    found, queue = set(targets), deque(targets)
    while queue:
        target = queue.popleft()
        for state, nexts in _NEXT.items():
            if target in nexts and state not in found:
                found.add(state)
                queue.append(state)
    return tuple(state for state in State if state in found)


def _next_states() -> dict[State, frozenset[State]]:
    edges: dict[State, frozenset[State]] = {}
    for state, moves in AFTER.items():
        named = {after for event, after in moves.items() if after is not None and event is not MarkAsked}
        edges[state] = frozenset(named) | (FINISHED if Ended in moves else frozenset())
    return edges


_NEXT: Final = _next_states()


def _words(states: tuple[State, ...]) -> str:
    return " or ".join(states)
