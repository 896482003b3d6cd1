"""A job: a template that gives a run its program and conditions, and schedules that say when."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from whenever import Instant

from apsis.domain.action import Action
from apsis.domain.args import Args
from apsis.domain.condition import Condition
from apsis.domain.policy import Deadlines, Limits, Pool, Retry
from apsis.domain.program import Program
from apsis.domain.schedule import Occurrence, Schedule
from apsis.lib.shared import shared


@dataclass(frozen=True, slots=True)
class Source:
    """Where a job is written. `settings` is the digest of the apsis.yaml it was loaded with."""

    repo: str
    revision: str
    path: str
    blob: str
    settings: str = ""


@dataclass(frozen=True, slots=True)
class Bound:
    """All of a job that was filled in for one run's args: what will really happen, whatever becomes of the job."""

    program: Program
    conditions: tuple[Condition, ...] = ()
    actions: tuple[Action, ...] = ()
    limits: Limits = field(default_factory=Limits)
    retry: Retry | None = None
    pools: tuple[Pool, ...] = ()
    deadlines: Deadlines = field(default_factory=Deadlines)


class Template(Protocol):
    """The unbound part of a job, implemented in `apsis.spec`."""

    @property
    def program(self) -> Mapping[str, object]:
        """The program as written, for showing."""
        ...

    @property
    def conditions(self) -> tuple[Mapping[str, object], ...]:
        """The conditions as written, for showing."""
        ...

    @property
    def schedules(self) -> tuple[Mapping[str, object], ...]:
        """The schedules as written, for showing; as many as the job has, in the same order."""
        ...

    @property
    def actions(self) -> tuple[Mapping[str, object], ...]:
        """The actions as written, those of the repository's settings included, for showing."""
        ...

    @property
    def policies(self) -> Mapping[str, object]:
        """Limits, retry, pool and deadlines as written, for showing; those that there are."""
        ...

    @property
    def metadata(self) -> Mapping[str, object]:
        """The metadata as written, for showing."""
        ...

    def bind(self, job_id: str, run_id: str, args: Args, schedule_time: Instant) -> Bound:
        """Fill in the templates; raise BindError, naming the place, if one does not give what it must."""
        ...

    def bind_actions(self, job_id: str, run_id: str, args: Args, schedule_time: Instant) -> tuple[Action, ...]:
        """Fill in the actions alone, for a run that cannot be bound; raise BindError."""
        ...


@dataclass(frozen=True, slots=True)
class Job:
    """One job of a snapshot. `job_id` is the path without `.yaml`, behind the repository's prefix."""

    job_id: str
    params: tuple[str, ...]
    schedules: tuple[Schedule, ...]
    template: Template
    source: Source
    text: str
    description: str | None = None
    labels: tuple[str, ...] = ()

    def args_of(self, schedule: Schedule, occurrence: Occurrence) -> Args:
        """Return the args of a run of the schedule: what it provides, cut to the params, under its own args."""
        provided = {name: value for name, value in occurrence.provides.items() if name in self.params}
        return shared(Args({**provided, **schedule.args}))
