"""The core: what becomes of a run after an event, and what must be done about it. Three tables and one function."""

from collections.abc import Callable, Mapping
from typing import Final

from msgspec.structs import replace
from whenever import Instant, TimeDelta

from apsis.domain.errors import IllegalTransition
from apsis.domain.events import (
    Broke,
    DeadlineMissed,
    Due,
    Ended,
    Event,
    Failed,
    GraceElapsed,
    MarkAsked,
    Missed,
    Noted,
    Ready,
    SkipAsked,
    StartAsked,
    Started,
    StopAsked,
    Succeeded,
    TimedOut,
)
from apsis.domain.instructions import (
    AwaitConditions,
    ConnectProgram,
    Instruction,
    KillProgram,
    StartProgram,
    StopProgram,
)
from apsis.domain.job import Bound
from apsis.domain.retrying import pause_before_next
from apsis.domain.run import Run
from apsis.domain.state import FINISHED, State
from apsis.lib.duration import format_duration

SCHEDULED, WAITING, STARTING, RUNNING, STOPPING = (
    State.SCHEDULED,
    State.WAITING,
    State.STARTING,
    State.RUNNING,
    State.STOPPING,
)
SUCCESS, FAILURE, ERROR, SKIPPED = State.SUCCESS, State.FAILURE, State.ERROR, State.SKIPPED

# A missing key is an illegal event; None stands for the state that the event names itself.
AFTER: Final[Mapping[State, Mapping[type[Event], State | None]]] = {
    SCHEDULED: {Due: WAITING, StartAsked: WAITING, SkipAsked: SKIPPED, Missed: SKIPPED, Broke: ERROR},
    WAITING: {Ready: STARTING, StartAsked: STARTING, SkipAsked: SKIPPED, Ended: None, Broke: ERROR},
    STARTING: {Started: RUNNING, Succeeded: SUCCESS, Failed: FAILURE, StopAsked: STOPPING, Broke: ERROR},
    RUNNING: {
        Started: RUNNING,
        Succeeded: SUCCESS,
        Failed: FAILURE,
        StopAsked: STOPPING,
        TimedOut: STOPPING,
        Broke: ERROR,
    },
    STOPPING: {
        Started: STOPPING,
        Succeeded: SUCCESS,
        Failed: FAILURE,
        GraceElapsed: STOPPING,
        Broke: ERROR,
    },
    SUCCESS: {MarkAsked: None},
    FAILURE: {MarkAsked: None},
    ERROR: {MarkAsked: None},
    SKIPPED: {MarkAsked: None},
}

# What changes nothing but the run's log, in any state; a finished run is late no more.
BESIDE: Final[Mapping[type[Event], frozenset[State]]] = {
    Noted: frozenset(State),
    DeadlineMissed: frozenset(State) - FINISHED,
}

Make = Callable[[str], Instruction]

ON_ENTER: Final[Mapping[State, Make]] = {
    WAITING: AwaitConditions,
    STARTING: StartProgram,
    STOPPING: StopProgram,
}

# `starting` may start again: agents refuse to start a process id twice.
ON_RESTART: Final[Mapping[State, tuple[Make, ...]]] = {
    WAITING: (AwaitConditions,),
    STARTING: (StartProgram,),
    RUNNING: (ConnectProgram,),
    STOPPING: (ConnectProgram, StopProgram),
}

# What an event asks for even though it changes no state.
ON_EVENT: Final[Mapping[type[Event], Make]] = {GraceElapsed: KillProgram}

ASKED: Final[Mapping[type[Event], str]] = {
    StartAsked: "start",
    SkipAsked: "be skipped",
    StopAsked: "stop",
    MarkAsked: "be marked",
}


def decide(run: Run, event: Event, now: Instant) -> tuple[Run, list[Instruction]]:
    """Return `run` as it is after `event`, and what must now be done about it.

    A failure with attempts left leads back to `scheduled`: the same run, its next attempt, due after a pause.
    Raises IllegalTransition if a run in this state does not take the event.
    """
    if run.state in BESIDE.get(type(event), ()):
        return _beside(run, event), []
    moves = AFTER[run.state]
    if type(event) not in moves:
        raise IllegalTransition(run.run_id, run.state, ASKED.get(type(event), f"take {type(event).__name__}"))
    state = moves[type(event)]
    if state is None:
        assert isinstance(event, (Ended, MarkAsked))  # noqa: S101 - the table's None rows are these two
        state = event.state
    if isinstance(event, MarkAsked) and state is run.state:
        raise IllegalTransition(run.run_id, run.state, f"be marked {state} again")
    late = run.timed_out and isinstance(event, (Succeeded, Failed))
    if late:
        state = FAILURE
    message = f"timed out: {event.message}" if late else event.message
    if (pause_s := pause_before_next(run, state, event)) is not None:
        return _again(run, message, now, pause_s), []
    entered = state is not run.state
    after = replace(
        run,
        state=state,
        timestamps=_entered(run, state, now) if entered else run.timestamps,
        message=message,
        log_length=run.log_length + 1,
        bound=_bound(run, event),
        timed_out=run.timed_out or isinstance(event, TimedOut),
    )
    instructions: list[Instruction] = []
    if entered and state in ON_ENTER:
        instructions.append(ON_ENTER[state](run.run_id))
    if type(event) in ON_EVENT:
        instructions.append(ON_EVENT[type(event)](run.run_id))
    return after, instructions


def _beside(run: Run, event: Event) -> Run:
    if isinstance(event, DeadlineMissed):
        return replace(run, breached=(*run.breached, event.kind), log_length=run.log_length + 1)
    return replace(run, log_length=run.log_length + 1)


def _again(run: Run, message: str, now: Instant, pause_s: float) -> Run:
    assert run.bound is not None and run.bound.retry is not None  # noqa: S101, PT018 - or there were no next attempt
    attempt, all_ = run.attempt + 1, run.bound.retry.count + 1
    return replace(
        run,
        state=SCHEDULED,
        attempt=attempt,
        due=now + TimeDelta(milliseconds=round(pause_s * 1000)),
        timestamps=_entered(run, SCHEDULED, now),
        message=f"{message}; attempt {attempt} of {all_} in {format_duration(round(pause_s, 3))}",
        log_length=run.log_length + 1,
        timed_out=False,
    )


def _entered(run: Run, state: State, now: Instant) -> dict[State, Instant]:
    """Return when each state was entered last, in the order of what happened."""
    times = dict(run.timestamps)
    times.pop(state, None)
    times[state] = now
    return times


def operations(run: Run) -> tuple[str, ...]:
    """Return what a person may do to the run now: of start, skip, stop, rerun, mark."""
    moves = AFTER[run.state]
    asked = [name for event, name in _OPERATIONS if event in moves]
    return (*asked, "rerun")


_OPERATIONS: Final = ((StartAsked, "start"), (SkipAsked, "skip"), (StopAsked, "stop"), (MarkAsked, "mark"))


def _bound(run: Run, event: Event) -> Bound | None:
    if isinstance(event, (Due, StartAsked)) and event.bound is not None:
        return event.bound
    return run.bound
