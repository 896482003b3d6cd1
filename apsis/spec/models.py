"""Job files and apsis.yaml as written. The models are also what the JSON Schemas are made from."""

import math
from typing import Annotated, Any, Final, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    StrictBool,
    StrictInt,
    Tag,
)

from apsis.domain.state import State
from apsis.spec.fields import (
    ArgText,
    CalendarField,
    Daytime,
    Duration,
    DurationLater,
    FlagLater,
    OneOrList,
    Param,
    SignalLater,
    StateName,
    Text,
    Zone,
    refuse,
)

MAX_SHIFT: Final = 366
"""A year of days; more is a mistake, and the bound keeps dates far from the ends of time."""
MIN_INTERVAL_S: Final = 1.0
"""Schedules are for seconds and more; a shorter loop belongs into the program."""


class Written(BaseModel):
    """A mapping in a job repository: no unknown keys, no change after reading."""

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)


# -- programs ----------------------------------------------------------------------------------------------------


class Timeout(Written):
    """End a program that runs too long; the run is then a failure."""

    duration: DurationLater
    signal: SignalLater = "SIGTERM"


class Stop(Written):
    """How a program is stopped: by a signal, and by SIGKILL after the grace period."""

    signal: SignalLater = "SIGTERM"
    grace_period: DurationLater = 60.0


class NoOp(Written):
    """Do nothing, for a while."""

    type: Literal["no-op"]
    duration: DurationLater = 0.0
    """How long."""
    success: StrictBool | None = True
    """true ends as success, false as failure, null as error."""


class _OnAgent(Written):
    group_id: Text = "default"
    """Which agents may run it. May be a template."""
    timeout: Timeout | None = None
    stop: Stop = Stop()


class Process(_OnAgent):
    """Start a program with arguments, without a shell."""

    type: Literal["process", "procstar"]
    argv: Annotated[tuple[ArgText, ...], Field(min_length=1)]
    """The program and its arguments; each may be a template."""


class Shell(_OnAgent):
    """Run a command by bash."""

    type: Literal["shell", "procstar-shell"]
    command: Text
    """The command, of one line or more. May be a template."""


Program = Annotated[NoOp | Process | Shell, Field(discriminator="type")]

# -- schedules ---------------------------------------------------------------------------------------------------


class _Schedule(Written):
    enabled: StrictBool = True
    """false keeps the schedule in the file without runs."""
    args: dict[str, ArgText] = {}
    """Args of the runs; they win over what the schedule provides."""


def _long_enough(seconds: float) -> float:
    if seconds < MIN_INTERVAL_S:
        raise refuse("bad_duration", "an interval is at least 1 second")
    return seconds


class Interval(_Schedule):
    """Every so often, counted from 1970-01-01T00:00Z."""

    type: Literal["interval"]
    interval: Annotated[Duration, AfterValidator(_long_enough)]
    phase: Duration = 0.0
    """How much later than the multiples of the interval."""


Shift = Annotated[StrictInt, Field(ge=-MAX_SHIFT, le=MAX_SHIFT)]


class Daily(_Schedule):
    """At local daytimes, on the dates of a calendar."""

    type: Literal["daily"]
    tz: Zone
    daytime: Annotated[tuple[Daytime, ...], Field(min_length=1), OneOrList()]
    """One or several local times, H:MM or H:MM:SS."""
    calendar: CalendarField = Field(default="all", validate_default=True)
    """The dates."""
    date_shift: Shift = 0
    """So many days after the calendar's date; negative: before."""
    cal_shift: Shift = 0
    """So many dates of the calendar after the date; applied before date_shift."""


Schedule = Annotated[Interval | Daily, Field(discriminator="type")]

# -- conditions --------------------------------------------------------------------------------------------------


class Dependency(Written):
    """Wait until a run of another instance is in one of some states."""

    type: Literal["dependency"]
    enabled: FlagLater = True
    """false, or a template that gives false, leaves the condition out."""
    job_id: Text
    """The job waited for; `//prefix/job` is one of another repository. May be a template."""
    args: dict[str, ArgText] = {}
    """Its args; missing ones are taken by name from the run. Each may be a template."""
    states: Annotated[tuple[StateName, ...], Field(min_length=1), OneOrList()] = (State.SUCCESS,)
    exist: Annotated[
        Annotated[StrictBool | None, Tag("flag")]
        | Annotated[tuple[StateName, ...], Field(min_length=1), OneOrList(), Tag("states")],
        Discriminator(lambda value: "flag" if value is None or isinstance(value, bool) else "states"),
    ] = None
    """true: error at once if no run exists that can still get there; states: if none exists in those."""


Condition = Dependency

# -- files -------------------------------------------------------------------------------------------------------


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
    metadata: Annotated[Metadata, BeforeValidator(lambda value: {} if value is None else _finite(value))] = Metadata()


class Settings(Written):
    """apsis.yaml: what is true for all jobs of a repository."""

    jobs: Annotated[tuple[Text, ...], OneOrList(null=True)] = ()
    """Folders that hold the jobs; a job's id is its path below. Default: the whole repository."""
    types: dict[str, Text] = {}
    """Own names for types: alias, and the type it stands for."""
    calendars: dict[str, CalendarField] = {}
    """Named calendars: name, and weekdays."""


PROGRAMS: Final[dict[str, type[Written]]] = {
    "no-op": NoOp, "process": Process, "procstar": Process, "shell": Shell, "procstar-shell": Shell
}  # fmt: skip
SCHEDULES: Final[dict[str, type[Written]]] = {"interval": Interval, "daily": Daily}
CONDITIONS: Final[dict[str, type[Written]]] = {"dependency": Dependency}
TYPES: Final[dict[str, type[Written]]] = {**PROGRAMS, **SCHEDULES, **CONDITIONS}
