"""What the engine needs of the world, as protocols. Adapters above satisfy them; only `service` introduces them."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from msgspec import Struct
from whenever import Instant

from apsis.domain.action import Delivery
from apsis.domain.condition import Answer, Condition, Instance
from apsis.domain.events import Meta, ProgramEvent
from apsis.domain.finding import Finding
from apsis.domain.jobset import Difference, JobSet
from apsis.domain.missed import Missed
from apsis.domain.run import LogEntry, Output, Run
from apsis.domain.state import State

# -- what a turn of the loop changes on disk -------------------------------------------------------------------


class SaveRun(Struct, frozen=True):
    """Insert or replace a run's row, and add what came with the step. `new`: it has no row yet.

    The output is of the attempt `output_of`; the run may be in its next one.
    """

    run: Run
    entries: tuple[LogEntry, ...] = ()
    meta: Meta | None = None
    output: Output | None = None
    output_of: int = 1
    new: bool = False


@dataclass(frozen=True, slots=True)
class WithdrawRun:
    """Delete an expected run with its log: its job no longer has it."""

    run: Run


@dataclass(frozen=True, slots=True)
class SavePlanned:
    """A job's schedules were handled up to and including this instant; None forgets a removed job.

    With `remake` the job has changed: what it has coming is still the old job's, and must be made anew.
    """

    job_id: str
    until: Instant | None
    remake: bool = False


@dataclass(frozen=True, slots=True)
class SaveHandled:
    """Everything due up to this instant was handled; it never goes back, whatever the clock does."""

    at: Instant


@dataclass(frozen=True, slots=True)
class SaveApplied:
    """A revision is the applied one of its repository now. The store keeps its job files' texts by blob id."""

    jobs: JobSet
    difference: Difference
    findings: tuple[Finding, ...]
    at: Instant


@dataclass(frozen=True, slots=True)
class SaveDelivery:
    """A message is to be delivered; it stays until it is settled."""

    delivery: Delivery


@dataclass(frozen=True, slots=True)
class SettleDelivery:
    """A try to deliver a message is over. With `retry_at` another comes then; without, the message is done with.

    `error` is why it failed, None if it was delivered; both are counted, by the message's type.
    """

    key: str
    error: str | None
    retry_at: Instant | None = None


@dataclass(frozen=True, slots=True)
class SaveMissed:
    """Times of one of a job's schedules passed while nobody was there, and get no runs."""

    missed: Missed


Change = SaveRun | WithdrawRun | SavePlanned | SaveHandled | SaveApplied | SaveDelivery | SettleDelivery | SaveMissed


@dataclass(frozen=True, slots=True)
class Restored:
    """What the engine starts from.

    Unfinished runs; how far each job was planned; the jobs whose coming runs must be made anew; the schedules' runs
    that are finished though their time is to come, or is one that their job was not planned up to; and the instant up
    to which everything due was handled.
    """

    runs: tuple[Run, ...]
    planned: Mapping[str, Instant]
    remake: frozenset[str]
    settled: Mapping[str, Instant]
    handled: Instant | None


class Store(Protocol):
    """Where runs are kept. Every method raises StoreError if the database does not do it."""

    async def commit(self, changes: Sequence[Change]) -> None:
        """Make all the changes durable, or none."""
        ...

    async def load_run(self, run_id: str) -> Run | None:
        """Return a run, finished ones included."""
        ...

    async def finished_states(self, instances: Sequence[Instance]) -> Sequence[frozenset[State]]:
        """Return, for each instance, the final states in which it has at least one run."""
        ...

    async def usual_duration(self, job_id: str) -> float | None:
        """Return the median of the seconds that the job's newest successful runs took; None: there are too few."""
        ...

    async def restore(self, now: Instant) -> Restored:
        """Return what an earlier server left at `now`. A row that cannot be read is reported and left alone."""
        ...


# -- how runs are done -----------------------------------------------------------------------------------------


class Programs(Protocol):
    """How a run's bound program is done, by kind.

    The generators yield Started at most once, then one of Succeeded, Failed, Broke, and end. The consumer goes on
    behind the final item only once that is durable, so what follows it may forget the program; behind Started it goes
    on at once, so that a program that ends at once takes one step.
    """

    def start(self, run: Run) -> AsyncGenerator[ProgramEvent, None]:
        """Start the program of the run's attempt and follow it; if it was started before, only follow it."""
        ...

    def connect(self, run: Run) -> AsyncGenerator[ProgramEvent, None]:
        """Follow a program that was started by an earlier server."""
        ...

    async def stop(self, run: Run) -> None:
        """Ask the program to end, by the program's own way of stopping; waits for a start that is under way."""
        ...

    async def kill(self, run: Run) -> None:
        """End the program at once."""
        ...


class Probes(Protocol):
    """How conditions ask the world outside."""

    async def ask(self, run: Run, condition: Condition) -> Answer:
        """Ask for one of the run's conditions with `polling`; never raises, a failure is a broken answer."""
        ...


class Outbox(Protocol):
    """Who delivers what the store holds to be delivered; each try is reported to the engine."""

    def ring(self) -> None:
        """Look what is there to be delivered; never blocks."""
        ...


class Secrets(Protocol):
    """Values that go by name, and only where they are used. What was ever given out is known, so as to hide it."""

    async def value(self, name: str) -> str:
        """Return the value now; raises NotFound for a name that is not configured, SecretError if it does not come."""
        ...

    def known(self, name: str) -> bool:
        """Whether its value was given out, and so is masked."""
        ...

    @property
    def longest(self) -> int:
        """How many bytes the longest value has that is masked; 0 if there are none."""
        ...

    def mask(self, data: bytes) -> bytes:
        """Return `data` with every value that was given out replaced by as many asterisks."""
        ...

    def unsure(self, data: bytes) -> int:
        """Return how many bytes at the end of `data` may be the beginning of a value whose rest is yet to come."""
        ...


# -- who is told -----------------------------------------------------------------------------------------------


class RunNews(Struct, frozen=True):
    """A run is new or has changed; `entries` are new in its log."""

    run: Run
    entries: tuple[LogEntry, ...]
    meta: Meta | None


@dataclass(frozen=True, slots=True)
class WithdrawnNews:
    """An expected run went."""

    run: Run


@dataclass(frozen=True, slots=True)
class JobsNews:
    """A revision was applied."""

    jobs: JobSet
    difference: Difference


News = RunNews | WithdrawnNews | JobsNews


class Publisher(Protocol):
    """Who is told what happened, after it is durable."""

    def publish(self, news: Sequence[News]) -> None:
        """Tell; never blocks and never raises."""
        ...
