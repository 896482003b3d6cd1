"""Jobs as the API shows them."""

from typing import Any

from apsis.wire.message import message, said


@message
class ScheduleText:
    """One schedule, in words and as written."""

    text: str = said("For people: `daily at 09:30 America/New_York on Mon-Fri`.")
    definition: dict[str, Any]
    enabled: bool


@message
class NextRun:
    """A coming run of a job."""

    run_id: str
    schedule_time: str
    due: str | None = said("As in a run: null if it is due at its schedule time.", default=None)
    args: dict[str, str]
    made: bool = said("false: it lies beyond what is planned yet; there is no such run so far.", default=True)


@message
class Missed:
    """Times of one schedule that passed while the server was down, and get no runs."""

    schedule: str = said("In words.")
    count: int = said("1,001 stands for more than 1,000.")
    first: str
    last: str
    reason: str
    at: str = said("When that was found.")


@message
class Job:
    """One job in summary."""

    job_id: str
    repo: str
    revision: str
    path: str
    blob: str
    params: list[str]
    labels: list[str]
    description: str | None
    program_type: str
    schedules: list[ScheduleText]
    next_run: NextRun | None


@message
class JobDetail(Job):
    """One job with its definition and next runs."""

    program: dict[str, Any]
    conditions: list[dict[str, Any]]
    actions: list[dict[str, Any]] = said("Those of the repository's settings included.")
    policies: dict[str, Any] = said("limits, retry, pool and deadlines as written, those that there are.")
    missed: list[Missed] = said("Spans of times that were not made up for, newest first, at most 10.")
    metadata: dict[str, Any]
    source: str = said("The job file's text.")
    next_runs: list[NextRun]
    as_of: str


@message
class JobPage:
    """A page of jobs by id, and the cursor of the next page."""

    jobs: list[Job]
    next: str | None
    as_of: str
