"""What the loop is told and asked: data in the inbox."""

from collections.abc import Mapping
from dataclasses import dataclass

from whenever import Instant

from apsis.domain.condition import Instance
from apsis.domain.errors import ApsisError
from apsis.domain.events import MarkAsked, ProgramEvent, SkipAsked, StartAsked, StopAsked
from apsis.domain.finding import Finding
from apsis.domain.job import Job
from apsis.domain.jobset import Difference, JobSet
from apsis.domain.run import Run
from apsis.domain.state import State

Asked = StartAsked | SkipAsked | StopAsked | MarkAsked


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
class Happened:
    """A run's program reports."""

    run_id: str
    event: ProgramEvent


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


Message = AskRun | AskRerun | AskNewRun | Apply | Happened | InstanceFound | RunLoaded
Result = Run | Difference | Exception | None


@dataclass(frozen=True, slots=True, eq=False)
class Envelope:
    """A message, and what identifies its sender's wish for an answer."""

    message: Message
    reply: object = None


# -- what the loop asks of the store between turns -------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class LookUp:
    """Ask the store for the final states of an instance."""

    instance: Instance
    question: int


@dataclass(frozen=True, slots=True)
class LoadRun:
    """Ask the store for a finished run."""

    run_id: str
