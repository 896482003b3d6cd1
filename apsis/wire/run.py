"""Runs as the API and the event stream show them."""

from dataclasses import field
from typing import Any, ClassVar, Literal

from apsis.wire.message import message, said

StateName = Literal["scheduled", "waiting", "starting", "running", "stopping", "success", "failure", "error", "skipped"]
FinalStateName = Literal["success", "failure", "error", "skipped"]
OperationName = Literal["start", "skip", "stop", "rerun", "mark"]
DeadlineName = Literal["start_by", "finish_by", "longer_than"]


@message
class Run:
    """One run in summary; the same shape in lists, in one run's page and in events.

    Instants are UTC strings `YYYY-MM-DDTHH:MM:SS.mmmZ`.
    """

    run_id: str
    job_id: str
    args: dict[str, str]
    state: StateName
    schedule_time: str
    due: str | None = said("When it is to start, if not at its schedule time: jitter, another attempt.", default=None)
    timestamps: dict[StateName, str]
    attempt: int
    attempts: int | None = said("From the second attempt on: how many there may be in all.", default=None)
    breached: list[DeadlineName] = said("The deadlines that it has missed.", default_factory=list)
    rerun_of: str | None
    label: str | None
    labels: list[str]
    expected: bool
    adhoc: bool
    repo: str
    revision: str | None
    path: str | None
    blob: str | None
    message: str | None = said("The message of the run's newest log entry, such as `exit code 3`.")


@message
class Blocking:
    """A run that another one waits for."""

    run_id: str
    job_id: str
    args: dict[str, str]
    state: StateName


@message
class ConditionStatus:
    """One thing that a waiting run waits for, a bound condition or a pool, and what it said last."""

    condition: dict[str, Any] | None = said("null: a pool")
    text: str
    holds: bool | None = said("null until it was asked for the first time")
    reason: str | None = said("Why it does not hold.", default=None)
    value: str | None = said("What a file, command or http condition saw last.", default=None)
    blocking: list[Blocking] = said("Some of the runs that are waited for.", default_factory=list)


@message
class RunDetail(Run):
    """One run with everything but its log and output."""

    program: dict[str, Any] | None = said("The bound program; null before the run fell due.")
    conditions: list[ConditionStatus] = said("The bound conditions and pools, in the order in which they are asked.")
    actions: list[dict[str, Any]] = said("The bound actions; secrets by their names.")
    limits: dict[str, Any] | None = said("The bound limits in seconds, and so below: null before the run fell due.")
    retry: dict[str, Any] | None
    pools: list[dict[str, Any]]
    deadlines: dict[str, Any] | None
    meta: dict[str, Any] = said("exit_code, signal, rusage, pid, host, … as the program reports")
    output_length: int
    operations: list[OperationName] = said("What a person may do to the run in its state.")
    as_of: str


@message
class RunPage:
    """A page of runs, newest schedule time first, and the cursor of the next page."""

    runs: list[Run]
    next: str | None = said("The cursor of the page after; null: no more. A short or empty page may have one.")
    as_of: str


@message
class LogEntry:
    """One entry of a run's log, which is the truth about it."""

    seq: int
    time: str
    state: StateName
    message: str
    who: str | None


@message
class RunLog:
    """A run's whole log, oldest first."""

    log: list[LogEntry]
    as_of: str


@message
class NewRun:
    """Ask for an ad hoc run of a job of the repository, or of an inline job."""

    __pydantic_config__: ClassVar = {"extra": "forbid"}

    job_id: str | None = None
    job: dict[str, Any] | None = said("An inline job, keys as in a job file.", default=None)
    args: dict[str, str] = field(default_factory=dict)
    schedule_time: str | None = said("When to run, an instant; null: now.", default=None)
    label: str | None = None


@message
class Mark:
    """Give a finished run another final state."""

    __pydantic_config__: ClassVar = {"extra": "forbid"}

    state: FinalStateName
    reason: str | None = None


@message
class Reason:
    """The body of start, skip, stop and rerun: why, for the log."""

    __pydantic_config__: ClassVar = {"extra": "forbid"}

    reason: str | None = None
