import pytest

from apsis.conditions.max_running import MaxRunning
from apsis.domain.args import Args
from apsis.domain.condition import Cap, Holds, Instance, Waits
from apsis.domain.state import State
from tests.support.facts import Facts

LOAD = Instance("load", Args({"date": "2026-11-24"}))


@pytest.mark.parametrize("state", [State.STARTING, State.RUNNING, State.STOPPING])
def test_a_run_that_is_on_takes_up_room(state: State) -> None:
    one = MaxRunning("load", {"date": "2026-11-24"})
    assert one.verdict(Facts(on={LOAD: (state,)})) == Waits("1 of at most 1 running of load date=2026-11-24")


@pytest.mark.parametrize("states", [(), (State.SCHEDULED, State.WAITING, State.WAITING)])
def test_what_only_waits_takes_up_none(states: tuple[State, ...]) -> None:
    assert MaxRunning("load", {"date": "2026-11-24"}).verdict(Facts(on={LOAD: states})) == Holds()


def test_others_of_the_job_do_not_count() -> None:
    other = Instance("load", Args({"date": "2026-11-25"}))
    assert MaxRunning("load", LOAD.args).verdict(Facts(on={other: (State.RUNNING,)})) == Holds()


def test_it_holds_up_to_its_count() -> None:
    two = MaxRunning("load", LOAD.args, 2)
    assert two.verdict(Facts(on={LOAD: (State.RUNNING,)})) == Holds()
    assert isinstance(two.verdict(Facts(on={LOAD: (State.RUNNING, State.STOPPING)})), Waits)


def test_the_engine_is_told_of_the_limit_and_nothing_to_read() -> None:
    two = MaxRunning("load", LOAD.args, 2)
    assert (two.cap, two.reads, two.polling) == (Cap(LOAD, 2), (), None)
    assert two.describe() == "fewer than 2 running of load date=2026-11-24"
