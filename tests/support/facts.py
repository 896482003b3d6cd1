"""What a condition is shown in a test."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from apsis.domain.condition import Answer, Instance
from apsis.domain.state import State


@dataclass
class Facts:
    """`ever` are the states by instance, `on` the other unfinished runs' states by instance."""

    ever: Mapping[Instance, frozenset[State]] = field(default_factory=dict)
    on: Mapping[Instance, tuple[State, ...]] = field(default_factory=dict)
    newest: Answer | None = None

    def states_of(self, instance: Instance) -> frozenset[State]:
        return self.ever.get(instance, frozenset())

    def others(self, instance: Instance, states: frozenset[State]) -> int:
        return sum(state in states for state in self.on.get(instance, ()))

    def answer(self) -> Answer | None:
        return self.newest
