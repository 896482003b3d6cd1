"""The engine's books: every message and timer of a turn, decided without waiting for anything."""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import islice
from typing import Final

from msgspec.structs import replace
from whenever import Instant, TimeDelta

from apsis.domain.errors import ApsisError, NotFound
from apsis.domain.events import (
    WITH_META,
    WITH_OUTPUT,
    Broke,
    DeadlineMissed,
    Due,
    Event,
    MarkAsked,
    Missed,
    Noted,
)
from apsis.domain.instructions import AwaitConditions, StartProgram
from apsis.domain.job import Bound, Job
from apsis.domain.jobset import JobSet
from apsis.domain.run import LogEntry, Run, entered
from apsis.domain.state import State
from apsis.domain.transition import ON_RESTART, decide
from apsis.engine import acting, applying, catching_up, deadlines, holding, limiting, settling
from apsis.engine.binding import bind
from apsis.engine.holding import Held
from apsis.engine.messages import Apply, Envelope, Result
from apsis.engine.planning import Planning
from apsis.engine.ports import Restored
from apsis.engine.receiving import receive
from apsis.engine.room import Key, Room
from apsis.engine.settling import Settling
from apsis.engine.timers import CatchUpDue, DeadlineDue, OfRun, PlanDue, RemakeDue, RunDue, Timer, Timers
from apsis.engine.turn import Turn
from apsis.engine.view import ON, View
from apsis.engine.waiting import Waiting
from apsis.lib.instant import EPOCH
from apsis.lib.seam import Failure, attempt
from apsis.lib.suggest import near

MOST_WORK: Final = 120
"""What one turn takes of what is due, in steps of a run: some 10 ms of deciding, so that neither a long catch-up
nor a commit of many jobs holds the event loop."""

PLAN_WORK: Final = 20
"""Planning a job makes up to planner.MOST_COMING runs, fewer if there are very many jobs."""

JUMP_S: Final = 60.0
"""Wall time that went so much further than elapsed time was set, or slept through: what fell due is caught up with."""


class Book:
    """Holds what the engine knows and decides what becomes of it; knows no clock, store, task or program.

    `longest_wait_s` is how long a run may wait whose job does not say.
    """

    def __init__(self, noise: Callable[[], bytes], longest_wait_s: float | None = None) -> None:
        self.noise = noise
        self.longest_wait_s = longest_wait_s
        self.view = View()
        self.timers = Timers()
        self.late = Timers()
        self.room = Room(self.view)
        self.waiting = Waiting(self.view, self.room)
        self.settling = Settling()
        self.planning = Planning(self.view, self.timers)
        self.loading: dict[str, list[Envelope]] = {}
        self.applies: deque[Envelope] = deque()
        self.handled: Instant | None = None
        self.since: Instant | None = None
        self.begun: set[str] = set()
        self.jobs_of: dict[str, Mapping[str, Job]] = {}
        self.pools: dict[str, Mapping[str, int]] = {}
        self.held: Held | None = None
        self.stale: dict[str, Instant] = {}
        self._clocks: tuple[Instant, float] | None = None

    @property
    def busy(self) -> bool:
        """Whether there is something to do that waits for nothing."""
        return self.settling.busy

    def turn(self, envelopes: Sequence[Envelope], now: Instant, monotonic: float) -> Turn:
        """Decide everything that was received and everything that is due."""
        self._watch_clocks(now, monotonic)
        self.handled = now if self.handled is None else max(now, self.handled)
        turn = Turn(now, monotonic, self.handled)
        self._report_late(turn)
        for envelope in envelopes:
            receive(self, turn, envelope)
            if self.late.has_due(now, monotonic):
                # Bound just now, and late already: the next message may be its start.
                self._report_late(turn)
        work = MOST_WORK
        for timer in self.timers.due(now, monotonic):
            if not holding.sets_aside(self, timer):
                self._fire(turn, timer)
            work -= PLAN_WORK if isinstance(timer, PlanDue | RemakeDue | CatchUpDue) else 1
            if work <= 0:
                break
        self._report_late(turn)
        self._apply_pending(turn)
        self.settling.settle(self, turn)
        self.timers.tidy(self._means_something)
        self.late.tidy(self._means_something)
        return turn

    def restore(
        self,
        restored: Restored,
        job_sets: Sequence[JobSet],
        now: Instant,
        monotonic: float,
        *,
        hold: str | None = None,
        since: Instant | None = None,
    ) -> Turn:
        """Take over what an earlier server left, by the third table.

        With `hold` (why) nothing starts before the release. In a new database the first jobs are planned from `since`.
        """
        # What fell due since then is still to be handled.
        turn = Turn(now, monotonic, restored.handled)
        self.held = Held(now, hold) if hold is not None else None
        self.since = since if restored.handled is None else None
        for job_set in job_sets:
            self.view.jobs.update(job_set.jobs)
            self.jobs_of[job_set.repo] = job_set.jobs
            self.pools[job_set.repo] = job_set.pools
            self.room.sizes.update(job_set.pools)
        self.view.planned.update(restored.planned)
        self.handled = restored.handled
        for run_id, at in restored.settled.items():
            self.view.settle(run_id, at)
        for run in restored.runs:
            self.view.put(run)
        for run in restored.runs:
            self._resume(turn, run)
        for job_id in restored.remake:
            self.stale[job_id] = restored.planned[job_id]
            self.timers.at(EPOCH, RemakeDue(job_id))
        for job_id in self.view.jobs:
            if job_id not in self.stale:
                self.planning.resume(job_id)
        self.catch_up(now)
        self._report_late(turn)
        self.settling.settle(self, turn)
        return turn

    def next_at(self, now: Instant, monotonic: float) -> Instant | None:
        """Return when there is something to do, in wall time as it runs now; None: when something happens."""
        times = (self.timers.next_at(now, monotonic), self.late.next_at(now, monotonic))
        return min((time for time in times if time is not None), default=None)

    def catch_up(self, now: Instant) -> None:
        """Let every job catch up, as its schedules say, with what it owes from before `now`."""
        self.planning.missed_until = now
        for job_id, job in self.view.jobs.items():
            if attempt("schedule", job_id, partial(catching_up.limited, job)) is True:
                self.timers.at(EPOCH, CatchUpDue(job_id))

    # -- time --------------------------------------------------------------------------------------------------

    def _watch_clocks(self, now: Instant, monotonic: float) -> None:
        """See whether wall time was set forward, or the machine slept, since the last turn."""
        if self._clocks is not None:
            then, was = self._clocks
            if (now - then).total("seconds") - (monotonic - was) > JUMP_S:
                self.catch_up(now)
        self._clocks = (now, monotonic)

    def _report_late(self, turn: Turn) -> None:
        """Report who is late by now: before what happened meanwhile is looked at, it may be their end, and before
        those start that fell due only now.
        """
        for timer in islice(self.late.due(turn.now, turn.monotonic), MOST_WORK):
            self._fire(turn, timer)

    def _fire(self, turn: Turn, timer: Timer) -> None:
        match timer:
            case PlanDue():
                for planned in self.planning.fire(turn, timer):
                    self.create(turn, planned, "scheduled")
            case RemakeDue():
                if timer.job_id in self.stale:
                    applying.remake(self, turn, timer.job_id)
            case CatchUpDue():
                self._catch_up(turn, timer.job_id)
            case _:
                run = self.current(turn, timer.run_id)
                if run is not None and timer.attempt in (run.attempt, 0):
                    self._fire_for(turn, run, timer)

    def _catch_up(self, turn: Turn, job_id: str) -> None:
        job = self.view.jobs.get(job_id)
        if job is None or job_id in self.stale:
            return
        since = self.view.planned.get(job_id, turn.now)
        until = min(self.planning.missed_until or turn.now, turn.now)
        missed = attempt("schedule", job_id, lambda: catching_up.missed(self.view, job, since, until))
        for run, reason in [] if isinstance(missed, Failure) else missed:
            self.happen(turn, run, Missed(f"missed: {reason}"))

    def _fire_for(self, turn: Turn, run: Run, timer: OfRun) -> None:
        if isinstance(timer, RunDue):
            if run.state is State.SCHEDULED and run.due_at <= turn.now:
                self._due(turn, run)
            elif run.state is State.SCHEDULED:
                self.timers.at(run.due_at, timer)  # the clock was set back while the timer was set aside
        elif isinstance(timer, DeadlineDue):
            deadlines.fire(self, turn, run, timer)
        else:
            limiting.FIRE[type(timer)](self, turn, run, timer)

    def _means_something(self, timer: Timer) -> bool:
        match timer:
            case PlanDue():
                return self.planning.means_something(timer)
            case RemakeDue() | CatchUpDue():
                return True
            case _:
                run = self.view.get(timer.run_id)
                return run is not None and timer.attempt in (run.attempt, 0)

    def current(self, turn: Turn, run_id: str) -> Run | None:
        """Return an unfinished run; if its job has changed, as the new job has it, which may be not at all."""
        run = self.view.get(run_id)
        if run is not None and run.expected and run.job_id in self.stale:
            applying.remake(self, turn, run.job_id)
            run = self.view.get(run_id)
        return run

    def _due(self, turn: Turn, run: Run) -> None:
        if run.bound is not None:
            self.happen(turn, run, Due(run.bound))
            return
        run, bound = self.rebind(run)
        self.happen(turn, run, Broke(f"cannot be bound: {bound.message}") if isinstance(bound, Failure) else Due(bound))

    def rebind(self, run: Run) -> tuple[Run, Bound | Failure]:
        """Return the run as its job makes it now, and what it is bound to, or why it cannot be."""
        job = self.view.jobs.get(run.job_id)
        if job is None:
            return run, Failure(f"its job {run.job_id!r} is gone")
        return run.of_job(job), bind(job, run)

    def _apply_pending(self, turn: Turn) -> None:
        """Apply revisions, once all that is due up to this instant has been handled with the old snapshot."""
        while self.applies and holding.may_apply(self, self.applies[0].message):
            if self.timers.has_due(turn.now, turn.monotonic):
                return
            envelope = self.applies.popleft()
            assert isinstance(envelope.message, Apply)  # noqa: S101 - only these are queued
            try:
                answer: Result = applying.apply(self, turn, envelope.message, self.handled or turn.now)
            except ApsisError as error:
                answer = error
            turn.answers.append((envelope, answer))

    # -- runs --------------------------------------------------------------------------------------------------

    def job(self, job_id: str) -> Job:
        """Return an applied job; raise NotFound with near misses."""
        try:
            return self.view.jobs[job_id]
        except KeyError:
            raise NotFound("job", job_id, near(job_id, self.view.jobs)) from None

    def create(self, turn: Turn, run: Run, message: str, who: str | None = None) -> Run:
        """Take in a new run."""
        run = replace(run, timestamps=entered(run.state, turn.now), message=message, log_length=1)
        self.view.put(run)
        self.timers.at(run.due_at, RunDue(run.run_id, run.attempt))
        turn.save(run, LogEntry(1, turn.now, run.state, message, who), new=True)
        deadlines.watch_schedule(self, run)
        settling.readers(self, run.instance, run.state)
        return run

    def happen(self, turn: Turn, run: Run, event: Event, who: str | None = None) -> Run:
        """Let an event happen to a run, and note all that follows; raise IllegalTransition if it cannot.

        Returns the run as it is then, which its own actions may have taken further.
        """
        after, instructions = decide(run, event, turn.now)
        meta = event.meta if isinstance(event, WITH_META) else None
        output = event.output if isinstance(event, WITH_OUTPUT) else None
        entry = LogEntry(after.log_length, turn.now, after.state, _said(event, after), who)
        self.view.put(after)
        turn.save(after, entry, meta=meta, output=output, output_of=run.attempt)
        moved = after.state is not run.state
        if moved:
            self._moved(turn, run, after)
        for instruction in instructions:
            if isinstance(instruction, AwaitConditions):
                self._await_conditions(turn, after)
            else:
                turn.instructions.append(instruction)
        if moved and not isinstance(event, MarkAsked):
            acting.act(self, turn, run, after)
        return turn.steps[run.run_id].run

    def _moved(self, turn: Turn, before: Run, after: Run) -> None:
        settling.readers(self, after.instance, after.state)
        if before.state is State.SCHEDULED:
            if not before.adhoc and before.attempt == 1 and before.schedule_time > turn.now:
                self.view.settle(before.run_id, before.schedule_time)
            if before.bound is None:
                deadlines.watch_schedule(self, after)
        if before.state is State.WAITING:
            self._waits_no_more(before)
        if before.state in ON and after.state not in ON:
            self._free(before)
        if after.state is State.SCHEDULED:
            self.timers.at(after.due_at, RunDue(after.run_id, after.attempt))
        if after.state.finished:
            self.waiting.finished(after.instance, after.state)
        if before.state.finished:
            turn.instructions.extend(self.waiting.again(after.instance))
        if after.state is State.RUNNING:
            deadlines.watch_running(self, turn, after, turn.monotonic)
        if after.state is State.STOPPING:
            holding.stopped(self, turn, after.run_id)
        limiting.set_limits(self, after, turn.monotonic)

    def _waits_no_more(self, run: Run) -> None:
        place = self.room.place_of(run.run_id)
        self.waiting.remove(run.run_id)
        if place is not None:
            # It may have stood before others that need less room.
            self.settling.free(place)

    def _free(self, run: Run) -> None:
        pools = run.bound.pools if run.bound is not None else ()
        keys: list[Key] = [run.instance, *(pool.name for pool in pools)]
        for key in keys:
            if self.room.first(key) is not None:
                self.settling.free(key)

    def _resume(self, turn: Turn, run: Run) -> None:
        if run.state is State.SCHEDULED:
            self.timers.at(run.due_at, RunDue(run.run_id, run.attempt))
        if not run.adhoc and not run.expected and run.schedule_time > turn.now:
            self.view.settle(run.run_id, run.schedule_time)
        entered = run.timestamps.get(run.state, turn.now)
        since = turn.monotonic - max(TimeDelta.ZERO, turn.now - entered).total("seconds")
        limiting.set_limits(self, run, since)
        deadlines.watch_schedule(self, run)
        if run.state is State.RUNNING:
            deadlines.watch_running(self, turn, run, since)
        for make in ON_RESTART.get(run.state, ()):
            instruction = make(run.run_id)
            if isinstance(instruction, AwaitConditions):
                self._await_conditions(turn, run)
            elif self.held is not None and isinstance(instruction, StartProgram):
                self.held.instructions.append(instruction)
            else:
                turn.instructions.append(instruction)

    def _await_conditions(self, turn: Turn, run: Run) -> None:
        unknown = attempt("conditions", run.run_id, lambda: self.waiting.add(run))
        if isinstance(unknown, Failure):
            self.happen(turn, run, Broke(f"a condition broke: {unknown.message}"))
            return
        turn.instructions.extend(unknown)
        self.settling.ask([run.run_id])


def _said(event: Event, after: Run) -> str:
    """Return the words for the log."""
    return event.message if isinstance(event, (Noted, DeadlineMissed)) else after.message or ""
