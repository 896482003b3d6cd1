"""Runs as the API and the event stream show them."""

from typing import Any, Literal

from pydantic import BaseModel, Field

StateName = Literal["scheduled", "waiting", "starting", "running", "stopping", "success", "failure", "error", "skipped"]
FinalStateName = Literal["success", "failure", "error", "skipped"]
OperationName = Literal["start", "skip", "stop", "rerun", "mark"]


class Run(BaseModel):
    """One run in summary; the same shape in lists, in one run's page and in events.

    Instants are UTC strings `YYYY-MM-DDTHH:MM:SS.mmmZ`.
    """

    run_id: str
    job_id: str
    args: dict[str, str]
    state: StateName
    schedule_time: str
    timestamps: dict[StateName, str]
    attempt: int
    rerun_of: str | None
    label: str | None
    labels: list[str]
    expected: bool
    adhoc: bool
    repo: str
    revision: str | None
    path: str | None
    blob: str | None
    message: str | None = Field(description="The message of the run's newest log entry, such as `exit code 3`.")


class ConditionStatus(BaseModel):
    """One bound condition of a waiting run, and what it said last."""

    condition: dict[str, Any]
    text: str
    holds: bool | None = Field(description="null until it was asked for the first time")


class RunDetail(Run):
    """One run with everything but its log and output."""

    program: dict[str, Any] | None = Field(description="The bound program; null before the run fell due.")
    conditions: list[ConditionStatus]
    meta: dict[str, Any] = Field(description="exit_code, signal, rusage, pid, host, … as the program reports")
    output_length: int
    operations: list[OperationName] = Field(description="What a person may do to the run in its state.")
    as_of: str


class RunPage(BaseModel):
    """A page of runs, newest schedule time first, and the cursor of the next page."""

    runs: list[Run]
    next: str | None
    as_of: str


class LogEntry(BaseModel):
    """One entry of a run's log, which is the truth about it."""

    seq: int
    time: str
    state: StateName
    message: str
    who: str | None


class RunLog(BaseModel):
    """A run's whole log, oldest first."""

    log: list[LogEntry]
    as_of: str


class NewRun(BaseModel, extra="forbid"):
    """Ask for an ad hoc run of a job of the repository, or of an inline job."""

    job_id: str | None = None
    job: dict[str, Any] | None = Field(None, description="An inline job, keys as in a job file.")
    args: dict[str, str] = {}
    schedule_time: str | None = Field(None, description="When to run, an instant; null: now.")
    label: str | None = None


class Mark(BaseModel, extra="forbid"):
    """Give a finished run another final state."""

    state: FinalStateName
    reason: str | None = None


class Reason(BaseModel, extra="forbid"):
    """The body of start, skip, stop and rerun: why, for the log."""

    reason: str | None = None
