"""Catching up: what becomes of the times that passed while the server was down, or when the clock jumped ahead.

Everything is made up for, oldest first, unless a schedule says otherwise. What it leaves out is recorded: runs that
were made already become skipped, with the reason; times that were not yet planned become one record per schedule.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Final

from whenever import Instant, TimeDelta

from apsis.domain.missed import MOST_COUNTED, Missed
from apsis.domain.run import scheduled_run_id
from apsis.lib.duration import format_duration

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from apsis.domain.job import Job
    from apsis.domain.run import Run
    from apsis.domain.schedule import Schedule
    from apsis.engine.view import View

GRACE: Final = TimeDelta(seconds=60)
"""With `catch_up: none`, the newest time still counts when it is not older: a restart is no downtime."""

TICK: Final = TimeDelta(milliseconds=1)
LOOKS_BACK: Final = tuple(TimeDelta(minutes=minutes) for minutes in (1, 60, 1_440, 46_080, 1_152_000))
"""How far back the newest time of a schedule is looked for, step by step."""


@dataclass(frozen=True, slots=True)
class Cut:
    """The times of a schedule before `first_kept` are left out, for the reason given."""

    first_kept: Instant
    reason: str


def cut_of(schedule: Schedule, after: Instant, now: Instant) -> Cut | None:
    """Return what of the schedule's times from `after` up to `now` is left out; None: nothing."""
    policy = schedule.catch_up
    if not policy.limited or not schedule.enabled or after >= now:
        return None
    cut = Cut(after + TICK, "")
    if policy.max_age_s is not None:
        oldest = now - TimeDelta(seconds=policy.max_age_s)
        cut = _later(cut, Cut(oldest, f"older than max_age {format_duration(policy.max_age_s)}"))
    newest = _newest(schedule, after, now)
    if newest is not None and policy.mode == "latest":
        cut = _later(cut, Cut(newest, "catch_up is latest"))
    elif newest is not None and policy.mode == "none":
        kept = newest if now - newest <= GRACE else now + TICK
        cut = _later(cut, Cut(kept, "catch_up is none"))
    return cut if cut.reason else None


def cuts_of(job: Job, after: Instant, now: Instant) -> dict[int, Cut]:
    """Return what is left out, by the number of the schedule in the job."""
    cuts = {number: cut_of(schedule, after, now) for number, schedule in enumerate(job.schedules)}
    return {number: cut for number, cut in cuts.items() if cut is not None}


def spans(job: Job, after: Instant, cuts: Mapping[int, Cut], now: Instant) -> list[Missed]:
    """Return the times behind `after` that are left out and were not yet planned, as one record per schedule."""
    found = []
    for number, cut in cuts.items():
        schedule, end = job.schedules[number], cut.first_kept - TICK
        times = [o.time for o in islice(schedule.between(after, end), MOST_COUNTED + 1)]
        if times:
            last = _newest(schedule, after, end) or times[-1]
            found.append(Missed(job.job_id, schedule.describe(), len(times), times[0], last, cut.reason, now))
    return found


def missed(view: View, job: Job, since: Instant, now: Instant) -> list[tuple[Run, str]]:
    """Return the job's runs that fell due behind `since` and that no schedule of it makes up for, with the reasons."""
    overdue = [run for run in view.coming(job.job_id) if run.expected and run.due_at <= now]
    if not overdue:
        return []
    cuts = cuts_of(job, min(since, overdue[0].schedule_time - TICK), now)
    found = []
    for run in overdue if cuts else ():
        reasons = [_left_out(job, schedule, cuts.get(number), run) for number, schedule in enumerate(job.schedules)]
        owing = [reason for reason in reasons if reason is not None]
        if owing and all(owing):
            found.append((run, owing[0]))
    return found


def limited(job: Job) -> bool:
    """Return whether the job leaves out some of what it owes."""
    return any(schedule.catch_up.limited for schedule in job.schedules)


def owed(job: Job, after: Instant, now: Instant) -> Iterator[Instant]:
    """Yield the times behind `after` up to `now` that the job's schedules make up for."""
    cuts = cuts_of(job, after, now)
    for number, schedule in enumerate(job.schedules):
        if schedule.enabled:
            start = max(after, cuts[number].first_kept - TICK) if number in cuts else after
            for occurrence in schedule.between(start, now):
                yield occurrence.time


def _left_out(job: Job, schedule: Schedule, cut: Cut | None, run: Run) -> str | None:
    """Return why the schedule leaves out the run, "" if it wants it, None if the run is none of its own."""
    if not schedule.enabled:
        return None
    for occurrence in schedule.between(run.schedule_time - TICK, run.schedule_time):
        if scheduled_run_id(job.job_id, job.args_of(schedule, occurrence), occurrence.time) == run.run_id:
            return cut.reason if cut is not None and run.schedule_time < cut.first_kept else ""
    return None


def _newest(schedule: Schedule, after: Instant, now: Instant) -> Instant | None:
    """Return the newest time of the schedule behind `after` and up to `now`."""
    for back in LOOKS_BACK:
        start = max(after, now - back)
        newest = None
        for occurrence in schedule.between(start, now):
            newest = occurrence.time
        if newest is not None or start == after:
            return newest
    return None


def _later(one: Cut, other: Cut) -> Cut:
    return other if other.first_kept > one.first_kept else one
