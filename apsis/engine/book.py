"""The engine's books: every message and timer of a turn, decided without waiting for anything."""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from whenever import Instant, TimeDelta

from apsis.domain.condition import Ends, Holds, Waits
from apsis.domain.errors import ApsisError, BindError, IllegalTransition, NotFound
from apsis.domain.events import (
    Broke,
    Due,
    Ended,
    Event,
    Failed,
    GraceElapsed,
    Ready,
    StartAsked,
    Started,
    Succeeded,
    TimedOut,
)
from apsis.domain.instructions import AwaitConditions
from apsis.domain.job import Bound, Job
from apsis.domain.jobset import JobSet
from apsis.domain.run import LogEntry, Run
from apsis.domain.state import State
from apsis.domain.transition import ON_RESTART, decide
from apsis.engine import applying, asking
from apsis.engine.binding import bind
from apsis.engine.messages import (
    Apply,
    AskNewRun,
    AskRerun,
    AskRun,
    Envelope,
    Happened,
    InstanceFound,
    LoadRun,
    Result,
    RunLoaded,
)
from apsis.engine.planning import Planning
from apsis.engine.ports import Restored
from apsis.engine.timers import GraceOver, PlanDue, ProgramLate, RemakeDue, RunDue, Timer, Timers
from apsis.engine.turn import Turn
from apsis.engine.view import View
from apsis.engine.waiting import Waiting
from apsis.lib.instant import EPOCH
from apsis.lib.seam import Failure, attempt
from apsis.lib.suggest import near

MOST_WORK: Final = 120
"""What one turn takes of what is due, in steps of a run: some 10 ms of deciding, so that neither a long catch-up
nor a commit of many jobs holds the event loop."""

PLAN_WORK: Final = 20
"""Planning a job makes up to planner.MOST_COMING runs."""


class Book:
    """Holds what the engine knows and decides what becomes of it; knows no clock, store, task or program."""

    def __init__(self, noise: Callable[[], bytes]) -> None:
        self.view = View()
        self.timers = Timers()
        self.waiting = Waiting(self.view)
        self.planning = Planning(self.view, self.timers)
        self.noise = noise
        self._loading: dict[str, list[Envelope]] = {}
        self._applies: deque[Envelope] = deque()
        self.handled: Instant | None = None
        self.stale: dict[str, Instant] = {}

    def turn(self, envelopes: Sequence[Envelope], now: Instant, monotonic: float) -> Turn:
        """Decide everything that was received and everything that is due."""
        self.handled = now if self.handled is None else max(now, self.handled)
        turn = Turn(now, monotonic, self.handled)
        for envelope in envelopes:
            self._receive(turn, envelope)
        work = MOST_WORK
        for timer in self.timers.due(now, monotonic):
            self._fire(turn, timer)
            work -= PLAN_WORK if isinstance(timer, PlanDue | RemakeDue) else 1
            if work <= 0:
                break
        self._apply_pending(turn)
        self._settle(turn)
        return turn

    def restore(self, restored: Restored, job_sets: Sequence[JobSet], now: Instant, monotonic: float) -> Turn:
        """Take over what an earlier server left, by the third table."""
        # What fell due since then is still to be handled.
        turn = Turn(now, monotonic, restored.handled)
        for job_set in job_sets:
            self.view.jobs.update(job_set.jobs)
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
        for job_id in self.view.jobs.keys() - self.stale.keys():
            self.planning.resume(job_id, now)
        self._settle(turn)
        return turn

    # -- messages ----------------------------------------------------------------------------------------------

    def _receive(self, turn: Turn, envelope: Envelope) -> None:
        try:
            answer = RECEIVE[type(envelope.message)](self, turn, envelope)
        except ApsisError as error:
            turn.answers.append((envelope, error))
        else:
            if not isinstance(answer, Later):
                turn.answers.append((envelope, answer))

    def _ask_run(self, turn: Turn, envelope: Envelope) -> "Result | Later":
        assert isinstance(envelope.message, AskRun)  # noqa: S101 - by the table
        run = self._current(turn, envelope.message.run_id)
        if run is None:
            return self._load_first(turn, envelope, envelope.message.run_id)
        return self._asked(turn, run, envelope.message)

    def _asked(self, turn: Turn, run: Run, message: AskRun) -> Run:
        event = message.event
        if isinstance(event, StartAsked) and run.state is State.SCHEDULED and run.bound is None:
            run, bound = self.rebind(run)
            if isinstance(bound, Failure):
                raise BindError(f"run {run.run_id} cannot be bound: {bound.message}")
            event = replace(event, bound=bound)
        return self.happen(turn, run, event, who=event.who)

    def _ask_rerun(self, turn: Turn, envelope: Envelope) -> "Result | Later":
        assert isinstance(envelope.message, AskRerun)  # noqa: S101 - by the table
        run = self.view.get(envelope.message.run_id)
        if run is None:
            return self._load_first(turn, envelope, envelope.message.run_id)
        return asking.rerun(self, turn, run, envelope.message)

    def _ask_new_run(self, turn: Turn, envelope: Envelope) -> Result:
        assert isinstance(envelope.message, AskNewRun)  # noqa: S101 - by the table
        return asking.new_run(self, turn, envelope.message)

    def _ask_apply(self, _turn: Turn, envelope: Envelope) -> "Later":
        self._applies.append(envelope)
        return LATER

    def _happened(self, turn: Turn, envelope: Envelope) -> None:
        message = envelope.message
        assert isinstance(message, Happened)  # noqa: S101 - by the table
        run = self.view.get(message.run_id)
        if run is None:
            return  # late news of a finished run
        try:
            self.happen(turn, run, message.event)
        except IllegalTransition as error:
            self.happen(turn, run, Broke(f"unexpected: {error.message}"))

    def _instance_found(self, turn: Turn, envelope: Envelope) -> None:
        assert isinstance(envelope.message, InstanceFound)  # noqa: S101 - by the table
        found = envelope.message
        self.waiting.found(found.instance, found.question, found.states)
        turn.touched.add(found.instance)

    def _load_first(self, turn: Turn, envelope: Envelope, run_id: str) -> "Later":
        """Ask the store for a finished run; commands for it queue up, so that each sees what the one before did."""
        if run_id not in self._loading:
            turn.instructions.append(LoadRun(run_id))
        self._loading.setdefault(run_id, []).append(envelope)
        return LATER

    def _run_loaded(self, turn: Turn, envelope: Envelope) -> None:
        loaded = envelope.message
        assert isinstance(loaded, RunLoaded)  # noqa: S101 - by the table
        found = self.view.get(loaded.run_id) or loaded.run
        for asked in self._loading.pop(loaded.run_id, []):
            if found is None:
                turn.answers.append((asked, loaded.error or NotFound("run", loaded.run_id)))
                continue
            try:
                if isinstance(asked.message, AskRerun):
                    turn.answers.append((asked, asking.rerun(self, turn, found, asked.message)))
                elif isinstance(asked.message, AskRun):
                    found = self._asked(turn, found, asked.message)
                    turn.answers.append((asked, found))
            except ApsisError as error:
                turn.answers.append((asked, error))

    # -- time --------------------------------------------------------------------------------------------------

    def _fire(self, turn: Turn, timer: Timer) -> None:
        if isinstance(timer, PlanDue):
            for planned in self.planning.fire(turn, timer):
                self.create(turn, planned, "scheduled")
            return
        if isinstance(timer, RemakeDue):
            if timer.job_id in self.stale:
                applying.remake(self, turn, timer.job_id)
            return
        run = self._current(turn, timer.run_id)
        if run is None:
            return
        if isinstance(timer, RunDue) and run.state is State.SCHEDULED and run.schedule_time <= turn.now:
            self._due(turn, run)
        elif isinstance(timer, ProgramLate) and run.state is State.RUNNING and run.bound and run.bound.program.timeout:
            limit = run.bound.program.timeout.duration_s
            self.happen(turn, run, TimedOut(f"timed out: ran longer than {limit:g} s"))
        elif isinstance(timer, GraceOver) and run.state is State.STOPPING:
            self.happen(turn, run, GraceElapsed())

    def _current(self, turn: Turn, run_id: str) -> Run | None:
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
        while self._applies and not self.stale and not self.timers.has_due(turn.now, turn.monotonic):
            envelope = self._applies.popleft()
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
        run = replace(run, timestamps={run.state: turn.now}, message=message, log_length=1)
        self.view.put(run)
        self.timers.at(run.schedule_time, RunDue(run.run_id))
        turn.save(run, LogEntry(1, turn.now, run.state, message, who), new=True)
        turn.touched.add(run.instance)
        return run

    def happen(self, turn: Turn, run: Run, event: Event, who: str | None = None) -> Run:
        """Let an event happen to a run, and note all that follows; raise IllegalTransition if it cannot."""
        after, instructions = decide(run, event, turn.now)
        meta = event.meta if isinstance(event, Started | Succeeded | Failed | Broke) else None
        output = event.output if isinstance(event, Succeeded | Failed | Broke) else None
        entry = LogEntry(after.log_length, turn.now, after.state, after.message or "", who)
        self.view.put(after)
        turn.save(after, entry, meta=meta, output=output)
        if after.state is not run.state:
            self._moved(turn, run, after)
        for instruction in instructions:
            if isinstance(instruction, AwaitConditions):
                self._await_conditions(turn, after)
            else:
                turn.instructions.append(instruction)
        return after

    def _moved(self, turn: Turn, before: Run, after: Run) -> None:
        turn.touched.add(after.instance)
        if before.state is State.SCHEDULED and not before.adhoc and before.schedule_time > turn.now:
            self.view.settle(before.run_id, before.schedule_time)
        if before.state is State.WAITING:
            self.waiting.remove(before.run_id)
        if after.state.finished:
            self.waiting.finished(after.instance, after.state)
        if before.state.finished:
            turn.instructions.extend(self.waiting.again(after.instance))
        self._set_limits(after, turn.monotonic)

    def _set_limits(self, run: Run, since: float) -> None:
        """Set the timers of a run that entered its state at `since` on the monotonic clock."""
        if run.bound is None:
            return
        if run.state is State.RUNNING and run.bound.program.timeout is not None:
            self.timers.after(since + run.bound.program.timeout.duration_s, ProgramLate(run.run_id))
        elif run.state is State.STOPPING:
            self.timers.after(since + run.bound.program.stop.grace_period_s, GraceOver(run.run_id))

    def _resume(self, turn: Turn, run: Run) -> None:
        if run.state is State.SCHEDULED:
            self.timers.at(run.schedule_time, RunDue(run.run_id))
        elif not run.adhoc and run.schedule_time > turn.now:
            self.view.settle(run.run_id, run.schedule_time)
        entered = run.timestamps.get(run.state, turn.now)
        self._set_limits(run, turn.monotonic - max(TimeDelta.ZERO, turn.now - entered).total("seconds"))
        for make in ON_RESTART.get(run.state, ()):
            instruction = make(run.run_id)
            if isinstance(instruction, AwaitConditions):
                self._await_conditions(turn, run)
            else:
                turn.instructions.append(instruction)

    def _await_conditions(self, turn: Turn, run: Run) -> None:
        turn.instructions.extend(self.waiting.add(run))
        turn.asking.append(run.run_id)

    def _settle(self, turn: Turn) -> None:
        """Ask the conditions that what happened concerns, until nothing more follows from it."""
        while turn.touched or turn.asking:
            concerned = dict.fromkeys(turn.asking)
            for instance in turn.touched:
                concerned.update(dict.fromkeys(self.waiting.readers(instance)))
            turn.touched, turn.asking = set(), []
            for run_id in concerned:
                if run_id in self.waiting:
                    self._ask_conditions(turn, run_id)

    def _ask_conditions(self, turn: Turn, run_id: str) -> None:
        run = self.view.get(run_id)
        assert run is not None  # noqa: S101 - what waits is unfinished
        verdict = attempt("conditions", run_id, lambda: self.waiting.ask(run_id))
        if isinstance(verdict, Failure):
            self.happen(turn, run, Broke(f"a condition broke: {verdict.message}"))
        elif isinstance(verdict, Holds):
            self.happen(turn, run, Ready())
        elif isinstance(verdict, Ends):
            self.happen(turn, run, Ended(verdict.state, verdict.reason))
        else:
            assert verdict is None or isinstance(verdict, Waits)  # noqa: S101 - all cases are named


class Later:
    """The answer comes in a later turn."""


LATER: Final = Later()

RECEIVE: Final[Mapping[type[object], Callable[[Book, Turn, Envelope], Any]]] = {
    AskRun: Book._ask_run,
    AskRerun: Book._ask_rerun,
    AskNewRun: Book._ask_new_run,
    Apply: Book._ask_apply,
    Happened: Book._happened,
    InstanceFound: Book._instance_found,
    RunLoaded: Book._run_loaded,
}
