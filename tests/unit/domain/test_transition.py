"""The tables of the core."""

import pytest
from msgspec.structs import replace

from apsis.domain.args import NO_ARGS
from apsis.domain.errors import IllegalTransition
from apsis.domain.events import (
    Broke,
    Due,
    Ended,
    Failed,
    GraceElapsed,
    MarkAsked,
    Ready,
    SkipAsked,
    StartAsked,
    Started,
    StopAsked,
    Succeeded,
    TimedOut,
)
from apsis.domain.instructions import AwaitConditions, KillProgram, StartProgram, StopProgram
from apsis.domain.job import Bound
from apsis.domain.program import NoOp
from apsis.domain.run import Run
from apsis.domain.state import FINISHED, State
from apsis.domain.transition import AFTER, ON_RESTART, decide, operations
from tests.support.jobs import EPOCH

BOUND = Bound(NoOp())
EVENTS = (
    Due(BOUND),
    Ready(),
    Ended(State.SKIPPED, "duplicate"),
    Started(),
    Succeeded(),
    Failed("exit code 1"),
    Broke("no such file"),
    TimedOut("too long"),
    GraceElapsed(),
    StartAsked("ada"),
    SkipAsked("ada"),
    StopAsked("ada"),
    MarkAsked("ada", State.SUCCESS),
)


def run_in(state: State) -> Run:
    return Run("r1", "job", NO_ARGS, EPOCH, EPOCH, state=state, bound=BOUND)


@pytest.mark.parametrize("state", list(State))
@pytest.mark.parametrize("event", EVENTS, ids=lambda e: type(e).__name__)
def test_an_event_moves_a_run_or_is_refused_by_name(state, event):
    run = run_in(state)
    if type(event) in AFTER[state] and not (isinstance(event, MarkAsked) and event.state is state):
        after, _ = decide(run, event, EPOCH)
        assert after.log_length == run.log_length + 1
        assert after.message == event.message
    else:
        with pytest.raises(IllegalTransition, match=f"r1 is {state}"):
            decide(run, event, EPOCH)


@pytest.mark.parametrize("state", sorted(FINISHED))
def test_a_finished_run_changes_only_by_a_persons_mark(state):
    assert set(AFTER[state]) == {MarkAsked}
    assert operations(run_in(state)) == ("mark", "rerun")


@pytest.mark.parametrize(
    ("state", "event", "instruction"),
    [
        (State.SCHEDULED, Due(BOUND), AwaitConditions("r1")),
        (State.WAITING, Ready(), StartProgram("r1")),
        (State.WAITING, StartAsked("ada"), StartProgram("r1")),
        (State.RUNNING, StopAsked("ada"), StopProgram("r1")),
        (State.RUNNING, TimedOut("late"), StopProgram("r1")),
        (State.STOPPING, GraceElapsed(), KillProgram("r1")),
    ],
)
def test_entering_a_state_asks_for_what_the_table_says(state, event, instruction):
    assert decide(run_in(state), event, EPOCH)[1] == [instruction]


def test_every_unfinished_state_past_scheduled_is_taken_up_after_a_restart():
    assert set(ON_RESTART) == set(State) - FINISHED - {State.SCHEDULED}


def test_a_program_that_timed_out_fails_even_if_it_ends_well():
    late = replace(run_in(State.STOPPING), timed_out=True)
    ended = decide(late, Succeeded("exit code 0"), EPOCH)[0]
    assert (ended.state, ended.message) == (State.FAILURE, "timed out: exit code 0")
    assert decide(ended, MarkAsked("ada", State.SUCCESS), EPOCH)[0].message == "asked to mark success"


def test_a_reattached_program_keeps_the_time_it_started_at():
    run = replace(run_in(State.RUNNING), timestamps={State.RUNNING: EPOCH})
    after, instructions = decide(run, Started("reattached"), EPOCH.add(hours=1))
    assert after.timestamps == {State.RUNNING: EPOCH}
    assert instructions == []


def test_marking_a_run_as_what_it_is_is_refused():
    with pytest.raises(IllegalTransition):
        decide(run_in(State.SUCCESS), MarkAsked("ada", State.SUCCESS), EPOCH)
