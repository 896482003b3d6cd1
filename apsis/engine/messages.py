"""What the loop is told and asked: data in the inbox."""

from collections.abc import Mapping
from dataclasses import dataclass

from msgspec import Struct
from whenever import Instant

from apsis.domain.action import Delivery
from apsis.domain.condition import Answer, Instance
from apsis.domain.errors import ApsisError
from apsis.domain.events import Asked, ProgramEvent
from apsis.domain.finding import Finding
from apsis.domain.job import Job
from apsis.domain.jobset import Difference, JobSet
from apsis.domain.run import Run
from apsis.domain.state import State


@dataclass(frozen=True, slots=True)
class AskRun:
    """A person wants something of a run."""

    run_id: str
    event: Asked


@dataclass(frozen=True, slots=True)
class AskRerun:
    """A person wants the run's instance to run again, now."""

    run_id: str
    who: str
    reason: str | None


@dataclass(frozen=True, slots=True)
class AskNewRun:
    """A person wants an ad hoc run of a job, applied (its id) or given by value."""

    job: str | Job
    args: Mapping[str, str]
    schedule_time: Instant | None
    who: str
    label: str | None


@dataclass(frozen=True, slots=True)
class Apply:
    """A revision passed its check and is to become the applied one."""

    jobs: JobSet
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class Release:
    """A person lets go what was held when the server started."""

    who: str


class Happened(Struct, frozen=True):
    """The program of a run's attempt reports."""

    run_id: str
    attempt: int
    event: ProgramEvent


@dataclass(frozen=True, slots=True)
class ProbeAnswered:
    """The outside has answered to a condition, by its number, of a run's attempt."""

    run_id: str
    attempt: int
    number: int
    answer: Answer


@dataclass(frozen=True, slots=True)
class UsualFound:
    """The store says how many seconds the job's runs usually take; None: there were too few to say.

    `since` is FindUsual's.
    """

    run_id: str
    attempt: int
    seconds: float | None
    since: float


@dataclass(frozen=True, slots=True)
class DeliveryReported:
    """A try to deliver a message is over; `error` None: it was delivered; `retry_at` None: it is not tried again."""

    delivery: Delivery
    error: str | None
    retry_at: Instant | None


@dataclass(frozen=True, slots=True)
class InstanceFound:
    """The store says in which final states an instance has runs; `question` is the LookUp's."""

    instance: Instance
    question: int
    states: frozenset[State]


@dataclass(frozen=True, slots=True)
class RunLoaded:
    """The store says what a finished run is; None: there is no such run, or the store failed."""

    run_id: str
    run: Run | None
    error: ApsisError | None = None


Message = (
    AskRun
    | AskRerun
    | AskNewRun
    | Apply
    | Release
    | Happened
    | ProbeAnswered
    | UsualFound
    | DeliveryReported
    | InstanceFound
    | RunLoaded
)
Result = Run | Difference | Exception | None


class Envelope(Struct, frozen=True, eq=False):
    """A message, and what identifies its sender's wish for an answer."""

    message: Message
    reply: object = None


# -- what the loop asks of others between turns ----------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class LookUp:
    """Ask the store for the final states of an instance."""

    instance: Instance
    question: int


@dataclass(frozen=True, slots=True)
class LoadRun:
    """Ask the store for a finished run."""

    run_id: str


@dataclass(frozen=True, slots=True)
class AskProbe:
    """Ask the outside for a condition, by its number, of a waiting run."""

    run_id: str
    number: int


@dataclass(frozen=True, slots=True)
class FindUsual:
    """Ask the store how long the runs of the run's job usually take; it has been running `since` (monotonic clock)."""

    run_id: str
    since: float


@dataclass(frozen=True, slots=True)
class RingOutbox:
    """There is something new to be delivered."""


Question = LookUp | LoadRun | AskProbe | FindUsual | RingOutbox
