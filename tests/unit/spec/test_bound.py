import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apsis.conditions.dependency import Dependency
from apsis.domain.job import Bound
from apsis.domain.program import NoOp, Process, Shell, Stop, Timeout
from apsis.domain.state import State
from apsis.spec.bound import condition_view, dump_bound, load_bound, program_view

texts = st.text(st.characters(codec="utf-8"), max_size=20)
seconds = st.floats(0, 10**9)
timeouts = st.none() | st.builds(Timeout, seconds, st.sampled_from(["SIGTERM", "SIGINT"]))
stops = st.builds(Stop, st.sampled_from(["SIGTERM", "SIGINT"]), seconds)
programs = (
    st.builds(NoOp, seconds, st.sampled_from(["success", "failure", "error"]))
    | st.builds(Process, st.lists(texts, min_size=1).map(tuple), texts, timeouts, stops)
    | st.builds(Shell, texts, texts, timeouts, stops)
)
states = st.lists(st.sampled_from(State), min_size=1, max_size=3).map(tuple)
dependencies = st.builds(Dependency, texts, st.dictionaries(texts, texts, max_size=3), states, st.booleans() | states)


@given(st.builds(Bound, programs, st.lists(dependencies, max_size=3).map(tuple)))
def test_what_was_dumped_loads_as_equal(bound: Bound) -> None:
    assert load_bound(dump_bound(bound)) == bound


def test_the_text_is_readable_json_and_what_it_leaves_out_has_its_default() -> None:
    text = '{"program": {"type": "shell", "command": "x"}, "conditions": [{"type": "dependency", "job_id": "a"}]}'
    assert load_bound(text) == Bound(Shell("x"), (Dependency("a"),))
    assert json.loads(dump_bound(Bound(NoOp())))["program"] == {
        "type": "no-op",
        "duration_s": 0.0,
        "outcome": "success",
    }


@pytest.mark.parametrize("text", ["", "{}", '{"program": {"type": "rocket"}}', "[1]"])
def test_what_is_nothing_of_the_kind_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError, match="validation error"):
        load_bound(text)


def test_views_are_plain_json() -> None:
    assert program_view(Process(("a",), timeout=Timeout(5.0))) == {
        "type": "process",
        "argv": ["a"],
        "group_id": "default",
        "timeout": {"duration_s": 5.0, "signal": "SIGTERM"},
        "stop": {"signal": "SIGTERM", "grace_period_s": 60.0},
        "env": {"set": {}, "unset": [], "inherit": False},
    }
    assert condition_view(Dependency("a", {"n": "1"}, (State.SUCCESS,), (State.RUNNING,))) == {
        "type": "dependency",
        "job_id": "a",
        "args": {"n": "1"},
        "states": ["success"],
        "exist": ["running"],
        "timeout_s": None,
        "on_timeout": "error",
    }
