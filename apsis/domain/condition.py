"""What the engine needs of a condition: what it reads, and its verdict on that."""

from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol

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
OnTimeout = Literal["error", "skip", "fail"]


class Read(NamedTuple):
    """The verdict depends on the runs of an instance, ever; it may change when one of them enters one of `states`."""

    instance: Instance
    states: frozenset[State]


class Cap(NamedTuple):
    """Fewer than `most` runs of the instance may be starting, running or stopping; the engine queues who must wait."""

    instance: Instance
    most: int


@dataclass(frozen=True, slots=True)
class Answer:
    """What a probe of the world outside found. `value` says what it saw: `exit code 1`, `404 Not Found`, `no file`.

    `broken`: it could not be asked; asked again, ever more seldom.
    """

    holds: bool
    value: str
    broken: bool = False


@dataclass(frozen=True, slots=True)
class Polling:
    """How often, in seconds, a probe is asked, and how long one answer may take."""

    every_s: float
    timeout_s: float = 30.0


class Facts(Protocol):
    """What a condition may look at while it judges."""

    def states_of(self, instance: Instance) -> frozenset[State]:
        """Return the states in which an instance of `reads` has a run, ever, archived and finished ones included."""
        ...

    def others(self, instance: Instance, states: frozenset[State]) -> int:
        """Return how many unfinished runs of the instance, the asking one not counted, are in one of `states`."""
        ...

    def answer(self) -> Answer | None:
        """Return the newest answer of the condition's probe; None: not asked yet."""
        ...


class Condition(Protocol):
    """A bound condition of a run. Kinds stand in `apsis.conditions`, one file each."""

    @property
    def reads(self) -> tuple[Read, ...]:
        """What of the past and present the verdict depends on; it is asked again when that may have changed."""
        ...

    @property
    def cap(self) -> Cap | None:
        """A limit on running instances that the condition is; None for other kinds."""
        ...

    @property
    def polling(self) -> Polling | None:
        """How the world outside is asked; None if it is not."""
        ...

    @property
    def timeout_s(self) -> float | None:
        """How long the run may wait for this condition, in seconds; None: as long as for others."""
        ...

    @property
    def on_timeout(self) -> OnTimeout:
        """What becomes of the run when `timeout_s` is over."""
        ...

    def verdict(self, facts: Facts) -> Verdict:
        """Judge, by the facts alone."""
        ...

    def describe(self) -> str:
        """Say the condition in words: `dependency on etl/load date=2026-11-24 in success`."""
        ...
