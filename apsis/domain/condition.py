"""What the engine needs of a condition: what it reads, and its verdict on that."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from apsis.domain.args import Args
from apsis.domain.state import State


class Instance(NamedTuple):
    """A job id and args: the thing that should run once."""

    job_id: str
    args: Args


@dataclass(frozen=True, slots=True)
class Holds:
    """The condition is met."""


@dataclass(frozen=True, slots=True)
class Waits:
    """The condition is not met yet."""

    reason: str


@dataclass(frozen=True, slots=True)
class Ends:
    """The run must not start: it ends in `state`, skipped, success, failure or error."""

    state: State
    reason: str


Verdict = Holds | Waits | Ends

StatesOf = Callable[[Instance], frozenset[State]]
"""The states in which an instance has at least one run, ever, archived and finished ones included."""


class Condition(Protocol):
    """A bound condition of a run. Kinds stand in `apsis.conditions`, one file each."""

    @property
    def reads(self) -> tuple[Instance, ...]:
        """The instances whose runs the verdict depends on; it is asked again when one of them changes."""
        ...

    def verdict(self, states_of: StatesOf) -> Verdict:
        """Judge; only the instances of `reads` may be asked for."""
        ...

    def describe(self) -> str:
        """Say the condition in words: `dependency on etl/load date=2026-11-24 in success`."""
        ...
