"""From a job's schedules to its coming runs. Pure: no clock, no store."""

import heapq
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Final

from whenever import Instant, TimeDelta

from apsis.domain.args import Args, check_args
from apsis.domain.job import Job
from apsis.domain.run import Run, scheduled_run_id, share_of
from apsis.domain.schedule import Schedule
from apsis.lib.instant import EPOCH

HORIZON: Final = TimeDelta(hours=48)
"""How far ahead runs are made: a weekend's look at the dashboard, a few rows for a daily job."""

FARTHEST: Final = TimeDelta(hours=24 * 400)
"""How far to look for the one run that a job has coming, however seldom it runs: a year and a month."""

MOST_COMING: Final = 16
"""Runs of one job that are made at a time, so that ten thousand jobs of every minute stay a hundred thousand rows."""

MOST_OF_ALL: Final = 400_000
"""Coming runs of all jobs together, each some 1.5 kB in memory and 1 kB on disk: with more jobs, each has fewer."""

FEWEST_COMING: Final = 4
"""However many jobs there are, a few, so that a job is planned for several runs at a time."""

NO_STARTS: Final[Mapping[int, Instant]] = {}


@dataclass(frozen=True, slots=True)
class Plan:
    """Runs with after < schedule time <= until, ascending.

    `replan_at` is when there should be more: before `until`, so that catching up goes through all jobs' times together.
    """

    runs: tuple[Run, ...]
    until: Instant
    replan_at: Instant


def most_coming(jobs: int) -> int:
    """Return how many runs of one job are made at a time when there are so many jobs."""
    return max(FEWEST_COMING, min(MOST_COMING, MOST_OF_ALL // max(1, jobs)))


def plan(
    job: Job,
    after: Instant,
    now: Instant,
    starts: Mapping[int, Instant] = NO_STARTS,
    most: int = MOST_COMING,
) -> Plan:
    """Make the job's next runs behind `after`: those up to the horizon, at most `most` instants, at least one.

    `starts` leaves out the times of a schedule, by its number, up to an instant. A job that has been planned beyond
    the horizon gets none, however often it is asked for.
    Raises BadArgs if a schedule does not give the job's params; whatever a schedule raises passes through.
    """
    horizon, far = now + HORIZON, now + FARTHEST
    if after > horizon:
        return Plan((), after, after - HORIZON / 2)
    runs: dict[str, Run] = {}
    times: list[Instant] = []
    for time, args, jitter_ms in islice(_merged(job, after, far, starts), most):
        if time > horizon and times:
            break
        run = new_run(job, args, time, jitter_ms)
        runs.setdefault(run.run_id, run)
        times.append(time)
    if not times:
        return Plan((), far, now + HORIZON / 2)
    if len(times) < most and times[-1] <= horizon:
        return Plan(tuple(runs.values()), horizon, now + HORIZON / 2)
    replan_at = times[len(times) // 2] if len(times) == most else times[-1] - HORIZON / 2
    return Plan(_whole_instants(job, runs, times[-1], starts), times[-1], replan_at)


def between(job: Job, after: Instant, until: Instant) -> Iterator[Run]:
    """Yield the runs of the job's schedules whose schedule time is behind `after`, up to `until`."""
    for schedule in job.schedules:
        if schedule.enabled:
            for occurrence in schedule.between(after, until):
                yield new_run(job, job.args_of(schedule, occurrence), occurrence.time, schedule.jitter_ms)


def beyond(job: Job, after: Instant, limit: int) -> list[Run]:
    """Return the next runs behind `after`, at most `limit` instants, whatever the horizon."""
    times = islice(_merged(job, after, after + FARTHEST, NO_STARTS), limit)
    runs = (new_run(job, args, time, jitter_ms) for time, args, jitter_ms in times)
    return list({run.run_id: run for run in runs}.values())


def new_run(job: Job, args: Args, schedule_time: Instant, jitter_ms: int) -> Run:
    """Return the run that an instance has for a schedule time; it is due later by its share of the jitter."""
    run_id = scheduled_run_id(job.job_id, args, schedule_time)
    due = None
    if jitter_ms:
        due = schedule_time + TimeDelta(milliseconds=int(jitter_ms * share_of(run_id, "jitter")))
    return Run(run_id, job.job_id, args, schedule_time, nominal_time=schedule_time, due=due).of_job(job)


def _whole_instants(job: Job, runs: dict[str, Run], until: Instant, starts: Mapping[int, Instant]) -> tuple[Run, ...]:
    """Add what else is due at `until` itself: several schedules may meet there, and planning goes on behind it."""
    for number, schedule in enumerate(job.schedules):
        if schedule.enabled and starts.get(number, EPOCH) < until:
            for occurrence in schedule.between(until - TimeDelta(milliseconds=1), until):
                run = new_run(job, job.args_of(schedule, occurrence), occurrence.time, schedule.jitter_ms)
                runs.setdefault(run.run_id, run)
    return tuple(runs.values())


def _merged(
    job: Job, after: Instant, until: Instant, starts: Mapping[int, Instant]
) -> Iterator[tuple[Instant, Args, int]]:
    times = (
        _times(job, schedule, max(after, starts.get(number, after)), until)
        for number, schedule in enumerate(job.schedules)
        if schedule.enabled
    )
    return heapq.merge(*times, key=lambda item: item[0])


def _times(job: Job, schedule: Schedule, after: Instant, until: Instant) -> Iterator[tuple[Instant, Args, int]]:
    for occurrence in schedule.between(after, until):
        args = job.args_of(schedule, occurrence)
        check_args(job.job_id, job.params, args)
        yield occurrence.time, args, schedule.jitter_ms
