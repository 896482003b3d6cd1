"""The due times of every applied schedule, worked out beside the engine, and what became of each."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from whenever import Instant, TimeDelta

from apsis.domain.job import Job
from apsis.domain.run import Run, scheduled_run_id, share_of
from apsis.domain.schedule import Schedule
from apsis.domain.state import State
from apsis.engine.ports import SaveApplied, SavePlanned

if TYPE_CHECKING:
    from tests.sim.promises import Commit, Move
    from tests.sim.world import World

TICK = TimeDelta(milliseconds=1)


@dataclass(slots=True)
class Period:
    """A job as it was applied from one instant to another."""

    job: Job | None
    since: Instant
    until: Instant | None = None
    left: Instant | None = None
    """When it was replaced, which is before `until` if the clock had been set back."""


@dataclass(frozen=True, slots=True)
class Time:
    """A time of a schedule, and when its run is due."""

    run_id: str
    at: Instant
    due: Instant
    schedules: tuple[Schedule, ...]


class Owed:
    """Which version of which job was the applied one when, as the commits say."""

    def __init__(self, world: "World") -> None:
        self.world = world
        self.periods: dict[str, list[Period]] = {}
        self._jitters: dict[str, int] = {}
        self._seen_spans = 0

    def jitter_of(self, run: Run) -> int | None:
        """Return something that stays the same while the run's due time must."""
        return self._jitters.get(run.blob or "")

    def commit(self, commit: "Commit") -> None:
        """Take in what a commit applies, and look at what it leaves out."""
        for move in commit.moves:
            if move.entry.message.startswith("missed: "):
                self._missed(move)
        # What is due is handled before a revision is applied.
        for change in commit.changes:
            if type(change) is SaveApplied:
                self._applied(commit, change)

    def _applied(self, commit: "Commit", applied: SaveApplied) -> None:
        for job in applied.jobs.jobs.values():
            if len({schedule.jitter_ms for schedule in job.schedules}) > 1:
                continue  # a time that two schedules have may be either's
            rolled = tuple((s.describe(), s.args, s.jitter_ms) for s in job.schedules if s.enabled)
            self._jitters[job.source.blob] = hash(rolled)
        for change in commit.changes:
            if type(change) is SavePlanned and change.remake and change.until is not None:
                periods = self.periods.setdefault(change.job_id, [])
                if periods:
                    periods[-1].until, periods[-1].left = change.until, min(change.until, applied.at)
                periods.append(Period(applied.jobs.jobs.get(change.job_id), change.until))

    def _missed(self, move: "Move") -> None:
        run, reason = move.run, move.entry.message.removeprefix("missed: ")
        job = self.periods[run.job_id][-1].job
        if not any(run.schedule_time <= gap for gap in self.world.gaps):
            raise self.world.promises.broke("missed only in a gap", f"{run.run_id} at {move.entry.time}")
        owners = [s for s in job.schedules if _time_of(job, s, run)] if job is not None else []
        if not owners or not all(schedule.catch_up.limited for schedule in owners):
            raise self.world.promises.broke("missed only by policy", f"{run.run_id}: {reason}")

    # -- at the end --------------------------------------------------------------------------------------------

    def settle(self) -> None:
        """Look whether every due time up to now has its run or its reason, and every run its time."""
        now = self.world.clock.now()
        handled = max(now, self.world.disk.handled or now)
        known: set[str] = set()
        for job_id, periods in self.periods.items():
            for number, period in enumerate(periods):
                if period.job is None:
                    continue
                for time in _times(period.job, period.since, period.until or handled):
                    known.add(time.run_id)
                    if time.due <= now and self._owes(time, periods, number, period.left or now):
                        self._settled(job_id, time)
        self._no_run_unasked(known)

    def _owes(self, time: Time, periods: list[Period], number: int, until: Instant) -> bool:
        """Whether the time is due by now, and its job had it until then."""
        for later in periods[number + 1 :]:
            if time.due <= until:
                return True
            made = _same(later.job, time.run_id, time.at) if later.job is not None else None
            if made is None:
                return False
            until, time = later.left or self.world.clock.now(), made
        return time.due <= min(until, self.world.clock.now())

    def _settled(self, job_id: str, time: Time) -> None:
        if time.run_id in self.world.disk.runs:
            return
        schedules = {schedule.describe(): schedule for schedule in time.schedules}
        for span in self.world.disk.spans:
            if span.job_id == job_id and span.schedule in schedules and span.first <= time.at <= span.last:
                if not schedules[span.schedule].catch_up.limited:
                    raise self.world.promises.broke("missed only by policy", f"{job_id} at {time.at}")
                return
        raise self.world.promises.broke("every due time gets a run", f"{job_id} at {time.at} ({list(schedules)})")

    def _no_run_unasked(self, known: set[str]) -> None:
        for run in self.world.disk.runs.values():
            if run.adhoc or run.state is State.SCHEDULED or run.run_id in known:
                continue
            first = next((e for e in self.world.disk.logs[run.run_id] if e.state is not State.SCHEDULED), None)
            if first is None or not first.who:
                raise self.world.promises.broke("no run without a time", f"{run.job_id} at {run.schedule_time}")


def _times(job: Job, since: Instant, until: Instant) -> Iterator[Time]:
    """Yield the times; one that several schedules have is due when the last of them says."""
    times: dict[str, Time] = {}
    for schedule in job.schedules:
        if schedule.enabled and until > since:
            for occurrence in schedule.between(since, until):
                run_id = scheduled_run_id(job.job_id, job.args_of(schedule, occurrence), occurrence.time)
                due, other = _due(schedule, run_id, occurrence.time), times.get(run_id)
                if other is None:
                    times[run_id] = Time(run_id, occurrence.time, due, (schedule,))
                else:
                    times[run_id] = Time(run_id, other.at, max(due, other.due), (*other.schedules, schedule))
    yield from times.values()


def _due(schedule: Schedule, run_id: str, at: Instant) -> Instant:
    late_ms = int(schedule.jitter_ms * share_of(run_id, "jitter")) if schedule.jitter_ms else 0
    return at + TimeDelta(milliseconds=late_ms)


def _same(job: Job, run_id: str, at: Instant) -> Time | None:
    return next((time for time in _times(job, at - TICK, at) if time.run_id == run_id), None)


def _time_of(job: Job, schedule: Schedule, run: Run) -> bool:
    return schedule.enabled and any(
        scheduled_run_id(job.job_id, job.args_of(schedule, occurrence), occurrence.time) == run.run_id
        for occurrence in schedule.between(run.schedule_time - TICK, run.schedule_time)
    )
