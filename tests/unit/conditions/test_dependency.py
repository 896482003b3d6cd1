import pytest

from apsis.conditions.dependency import Dependency, reaching
from apsis.domain.args import Args
from apsis.domain.condition import Ends, Holds, Instance, Verdict, Waits
from apsis.domain.state import State
from tests.support.facts import Facts

EXTRACT = Instance("etl/extract", Args({"date": "2026-11-24"}))


def dependency(*states: str, exist: bool | tuple[State, ...] = False) -> Dependency:
    wanted = tuple(State(state) for state in states) or (State.SUCCESS,)
    return Dependency("etl/extract", {"date": "2026-11-24"}, wanted, exist)


def judged(condition: Dependency, *found: str) -> Verdict:
    assert [read.instance for read in condition.reads] == [EXTRACT]
    return condition.verdict(Facts(ever={EXTRACT: frozenset(State(state) for state in found)}))


def test_it_holds_once_a_run_was_ever_in_one_of_the_states() -> None:
    assert judged(dependency(), "failure", "success") == Holds()
    assert judged(dependency("failure", "error"), "error") == Holds()


def test_it_waits_otherwise_whether_there_is_a_run_or_not() -> None:
    assert isinstance(judged(dependency()), Waits)
    assert isinstance(judged(dependency(), "failure", "running"), Waits)


def test_a_reason_names_the_instance_and_the_states() -> None:
    verdict = judged(dependency("success", "skipped"))
    assert verdict == Waits("waiting for etl/extract date=2026-11-24 to be success or skipped")


@pytest.mark.parametrize("state", ["scheduled", "waiting", "starting", "running", "stopping"])
def test_where_a_run_must_exist_one_that_can_still_succeed_is_waited_for(state: str) -> None:
    assert isinstance(judged(dependency(exist=True), state), Waits)


@pytest.mark.parametrize("states", [(), ("failure",), ("error", "skipped")])
def test_where_a_run_must_exist_none_that_can_succeed_is_an_error(states: tuple[str, ...]) -> None:
    verdict = judged(dependency(exist=True), *states)
    assert isinstance(verdict, Ends)
    assert verdict.state is State.ERROR


def test_where_a_run_must_exist_a_target_that_was_passed_is_an_error() -> None:
    assert isinstance(judged(dependency("starting", exist=True), "running"), Ends)


def test_exist_states_are_taken_as_they_are() -> None:
    condition = dependency(exist=(State.RUNNING,))
    assert isinstance(judged(condition, "running"), Waits)
    assert isinstance(judged(condition, "waiting"), Ends)
    assert judged(condition, "success") == Holds()


def test_reaching_follows_the_table_of_transitions_without_marks() -> None:
    unfinished = (State.SCHEDULED, State.WAITING, State.STARTING, State.RUNNING, State.STOPPING)
    assert reaching((State.SUCCESS,)) == (*unfinished, State.SUCCESS)
    assert reaching((State.SKIPPED,)) == (State.SCHEDULED, State.WAITING, State.SKIPPED)
    assert reaching((State.SCHEDULED,)) == (State.SCHEDULED,)


def test_words() -> None:
    assert dependency().describe() == "dependency on etl/extract date=2026-11-24 in success"
    assert Dependency("x").describe() == "dependency on x in success"
