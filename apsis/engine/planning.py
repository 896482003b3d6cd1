"""When which job is planned further, and what that gives."""

import logging
from collections.abc import Mapping, Sequence
from typing import Final

from whenever import Instant, TimeDelta

from apsis.domain.errors import ApsisError
from apsis.domain.job import Job
from apsis.domain.missed import Missed
from apsis.domain.run import Run
from apsis.engine import catching_up, planner
from apsis.engine.catching_up import TICK, Cut
from apsis.engine.ports import SaveMissed, SavePlanned
from apsis.engine.timers import PlanDue, Timers
from apsis.engine.turn import Turn
from apsis.engine.view import View
from apsis.lib.instant import EPOCH
from apsis.lib.seam import Failure, attempt

log = logging.getLogger(__name__)

AFTER_FAILURE: Final = TimeDelta(minutes=1)
"""When a job whose schedule broke is tried again: seldom enough for the log, soon enough after a fix outside."""


class Planning:
    """Plans jobs ahead. A job's newest plan timer is the one that counts; older ones mean nothing.

    `missed_until` is the instant up to which nobody was there: what a job owes from before it, it catches up with.
    """

    def __init__(self, view: View, timers: Timers) -> None:
        self._view = view
        self._timers = timers
        self._at: dict[str, Instant] = {}
        self._cuts: dict[str, tuple[Instant, Mapping[int, Cut]]] = {}
        self.missed_until: Instant | None = None

    def again_at(self, job_id: str, when: Instant) -> None:
        """Plan the job further at `when`."""
        self._at[job_id] = when
        self._timers.at(when, PlanDue(job_id, when))

    def resume(self, job_id: str) -> None:
        """Plan the job further after a restart: at once, even if the clock is set back.

        Or when as many of its runs are left as there would have been, but not behind what it is planned up to: no run
        of another job that may look for one of its must come first.
        """
        coming = [run for run in self._view.coming(job_id) if run.expected]
        left = planner.most_coming(len(self._view.jobs)) // 2
        at = coming[-left].schedule_time if len(coming) >= left else EPOCH
        self.again_at(job_id, min(at, self._view.planned.get(job_id, EPOCH)))

    def forget(self, job_id: str) -> None:
        """A job is gone."""
        self._at.pop(job_id, None)
        self._cuts.pop(job_id, None)
        self._view.planned.pop(job_id, None)

    def changed(self, job_id: str) -> None:
        """A job is another now; what it leaves out is decided anew."""
        self._cuts.pop(job_id, None)

    def means_something(self, timer: PlanDue) -> bool:
        """Return whether the timer is the job's newest."""
        return self._at.get(timer.job_id) == timer.at

    def fire(self, turn: Turn, timer: PlanDue) -> Sequence[Run]:
        """Return the new runs that a plan timer brings; [] if the timer is out of date."""
        job = self._view.jobs.get(timer.job_id)
        if job is None or not self.means_something(timer):
            return []
        runs = self.plan(turn, job, after=self._view.planned.get(job.job_id, turn.now))
        return [run for run in runs if self._view.get(run.run_id) is None]

    def plan(self, turn: Turn, job: Job, after: Instant) -> Sequence[Run]:
        """Return the job's next runs behind `after` that were not decided before; note how far the plan goes.

        A run that there is already is returned too, as the job would make it now.
        """

        def work() -> tuple[planner.Plan, Mapping[int, Cut], Sequence[Missed]] | Failure:
            try:
                cuts, missed = self._cut(job, after, turn.now)
                starts = {number: cut.first_kept - TICK for number, cut in cuts.items()}
                most = planner.most_coming(len(self._view.jobs))
                return planner.plan(job, after, turn.now, starts, most), cuts, missed
            except ApsisError as error:
                log.warning("schedule_failed: job %s cannot be planned: %s", job.job_id, error.message)
                return Failure(error.message)

        planned = attempt("schedule", job.job_id, work)
        if isinstance(planned, Failure):
            self.again_at(job.job_id, turn.now + AFTER_FAILURE)
            return []
        plan, cuts, missed = planned
        if cuts and self.missed_until is not None:
            self._cuts[job.job_id] = (self.missed_until, cuts)
        turn.others.extend(SaveMissed(span) for span in missed)
        self._view.planned[job.job_id] = plan.until
        turn.others.append(SavePlanned(job.job_id, plan.until))
        if job.schedules:
            self.again_at(job.job_id, plan.replan_at)
        return [run for run in plan.runs if not self._view.is_settled(run.run_id)]

    def _cut(self, job: Job, after: Instant, now: Instant) -> tuple[Mapping[int, Cut], Sequence[Missed]]:
        """Return what is left out of what the job owes from before `missed_until`, and the records of it, once.

        Once `plan` has noted it, it stays the same until all up to there is planned.
        """
        if self.missed_until is None or after >= self.missed_until:
            self._cuts.pop(job.job_id, None)
            return {}, ()
        known = self._cuts.get(job.job_id)
        if known is not None and known[0] == self.missed_until:
            return known[1], ()
        cuts = catching_up.cuts_of(job, after, self.missed_until)
        return cuts, catching_up.spans(job, after, cuts, now)
