import pytest

from apsis.conditions.skip_duplicate import SkipDuplicate
from apsis.domain.args import Args
from apsis.domain.condition import Ends, Holds, Instance
from apsis.domain.state import State
from tests.support.facts import Facts

OWN = Instance("load", Args({"n": "1"}))


def test_a_run_that_is_alone_goes_on() -> None:
    assert SkipDuplicate("load", {"n": "1"}).verdict(Facts()) == Holds()


@pytest.mark.parametrize("state", [State.WAITING, State.STARTING, State.RUNNING])
def test_a_duplicate_is_skipped(state: State) -> None:
    said = SkipDuplicate("load", {"n": "1"}).verdict(Facts(on={OWN: (state,)}))
    assert said == Ends(State.SKIPPED, "a duplicate: 1 more of it is under way")


def test_other_states_and_other_args_do_not_count() -> None:
    facts = Facts(on={OWN: (State.SCHEDULED, State.STOPPING), Instance("load", Args({"n": "2"})): (State.RUNNING,)})
    assert SkipDuplicate("load", {"n": "1"}).verdict(facts) == Holds()


def test_which_states_count_and_what_it_becomes_can_be_said() -> None:
    condition = SkipDuplicate("load", {"n": "1"}, (State.STOPPING,), State.SUCCESS)
    assert condition.verdict(Facts(on={OWN: (State.RUNNING,)})) == Holds()
    said = condition.verdict(Facts(on={OWN: (State.STOPPING, State.STOPPING)}))
    assert said == Ends(State.SUCCESS, "a duplicate: 2 more of it are under way")


def test_it_never_waits() -> None:
    condition = SkipDuplicate("load")
    assert (condition.reads, condition.cap, condition.polling, condition.timeout_s) == ((), None, None, None)
    assert condition.on_timeout == "error"
    assert condition.describe() == "no other run of it waiting or starting or running"
