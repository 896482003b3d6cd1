"""The files: a job, and apsis.yaml. Their models are also what the JSON Schemas are made from."""

import math
from typing import Annotated, Any

from pydantic import BeforeValidator, ConfigDict

from apsis.spec.fields import CalendarField, Param, Text, refuse
from apsis.spec.models.actions import Actions, Successors
from apsis.spec.models.base import Written
from apsis.spec.models.conditions import Condition
from apsis.spec.models.policies import MAX_POOL, Deadlines, Limits, Pools, Retry
from apsis.spec.models.programs import Program
from apsis.spec.models.schedules import Schedule
from apsis.spec.numbers import Whole
from apsis.spec.outside import PoolName
from apsis.spec.shorthand import OneOrList, Short


def _finite(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        raise refuse("bad_value", "metadata cannot have an infinite number")
    for item in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        _finite(item)
    return value


class Metadata(Written):
    """Shown and searched, of no effect on runs. Other keys are yours."""

    model_config = ConfigDict(extra="allow")

    description: str | None = None
    """Markdown; its first paragraph is the summary."""
    labels: Annotated[tuple[Text, ...], OneOrList(null=True)] = ()


class JobFile(Written):
    """A job: what runs, when, and on what conditions."""

    job_id: Text | None = None
    """Optional; must be the file's path without .yaml."""
    params: Annotated[tuple[Param, ...], OneOrList(null=True)] = ()
    """Names of the args that tell one run from another."""
    program: Program
    """What runs."""
    schedule: Annotated[tuple[Schedule, ...], OneOrList(null=True)] = ()
    """When it runs: one schedule, a list, or null for runs that people ask for."""
    condition: Annotated[tuple[Condition, ...], OneOrList(null=True)] = ()
    """What must hold before a run starts: one condition or a list."""
    conditions: Annotated[tuple[Condition, ...], OneOrList(null=True)] = ()
    """The same as condition."""
    limits: Limits = Limits()
    """How long a run may wait and run."""
    pool: Pools = ()
    """What the run shares with others: the name of a pool, a pool with its slots, or a list."""
    retry: Annotated[Retry, Short("count", {"type": "integer", "minimum": 1, "maximum": 100})] | None = None
    """How often a run that fails is tried again."""
    deadlines: Deadlines = Deadlines()
    """When a run is late."""
    action: Actions = ()
    """What else happens when a run changes: one action or a list."""
    actions: Actions = ()
    """The same as action."""
    successors: Successors = ()
    """Jobs that run when this one has succeeded."""
    metadata: Annotated[Metadata, BeforeValidator(lambda value: {} if value is None else _finite(value))] = Metadata()

    @property
    def acts(self) -> bool:
        """Whether it has actions of its own."""
        return bool(self.action or self.actions or self.successors)


class Settings(Written):
    """apsis.yaml: what is true for all jobs of a repository."""

    jobs: Annotated[tuple[Text, ...], OneOrList(null=True)] = ()
    """Folders that hold the jobs; a job's id is its path below. Default: the whole repository."""
    types: dict[str, Text] = {}
    """Own names for types: alias, and the type it stands for."""
    calendars: dict[str, CalendarField] = {}
    """Named calendars: name, and weekdays."""
    pools: dict[PoolName, Annotated[int, Whole(1, MAX_POOL)]] = {}
    """Pools that jobs share: name, and how many slots there are."""
    actions: Actions = ()
    """What else happens when a run of any job changes, after the job's own actions."""
