import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apsis.conditions.const import Const
from apsis.conditions.dependency import Dependency
from apsis.conditions.max_running import MaxRunning
from apsis.conditions.probes import CommandSucceeds, FileExists, HttpAnswers
from apsis.conditions.skip_duplicate import SkipDuplicate
from apsis.domain.action import Email, If, ScheduleJob, Webhook
from apsis.domain.args import Args
from apsis.domain.job import Bound
from apsis.domain.policy import Deadlines, Limits, Pool, Retry
from apsis.domain.program import Archive, Env, NoOp, Process, Shell, Stats, Stop, Timeout, Vacuum
from apsis.domain.secret import Secret
from apsis.domain.state import State
from apsis.spec.bound import action_view, condition_view, dump_bound, load_bound, program_view

texts = st.text(st.characters(codec="utf-8"), max_size=20)
seconds = st.floats(0, 10**9)
maybe = st.none() | seconds
counts = st.integers(1, 10_000)
secrets = st.builds(Secret, texts)
dicts = st.dictionaries(texts, texts, max_size=3)


def tuples(items: st.SearchStrategy[Any], least: int = 0) -> st.SearchStrategy[tuple[Any, ...]]:
    return st.lists(items, min_size=least, max_size=3).map(tuple)


states = tuples(st.sampled_from(State), 1)
timeouts = st.none() | st.builds(Timeout, seconds, st.sampled_from(["SIGTERM", "SIGINT"]))
stops = st.builds(Stop, st.sampled_from(["SIGTERM", "SIGINT"]), seconds)
envs = st.builds(Env, st.dictionaries(texts, texts | secrets, max_size=3), tuples(texts), st.booleans() | tuples(texts))
programs = (
    st.builds(NoOp, seconds, st.sampled_from(["success", "failure", "error"]))
    | st.builds(Process, tuples(texts, 1), texts, timeouts, stops, envs)
    | st.builds(Shell, texts, texts, timeouts, stops, envs)
    | st.builds(Archive, seconds, st.none() | texts, st.none() | counts, counts, seconds)
    | st.builds(Vacuum)
    | st.builds(Stats, st.none() | texts)
)
waits = {"timeout_s": maybe, "on_timeout": st.sampled_from(["error", "skip", "fail"])}
asks = {**waits, "every_s": seconds, "answer_within_s": seconds}
conditions = (
    st.builds(Dependency, texts, dicts, states, st.booleans() | states, **waits)
    | st.builds(MaxRunning, texts, dicts, counts, **waits)
    | st.builds(SkipDuplicate, texts, dicts, states, st.sampled_from(State))
    | st.builds(Const, st.booleans(), **waits)
    | st.builds(FileExists, texts, texts, **asks)
    | st.builds(CommandSucceeds, tuples(texts, 1), texts, **asks)
    | st.builds(HttpAnswers, texts, tuples(counts, 1), **asks)
)
kinds = st.sampled_from(["start_by", "finish_by", "longer_than"])
ifs = st.builds(If, tuples(st.sampled_from(State)), tuples(counts), tuples(kinds))
actions = (
    st.builds(ScheduleJob, texts, dicts, ifs)
    | st.builds(Email, tuples(texts, 1), st.none() | texts, st.none() | texts, ifs)
    | st.builds(
        Webhook, texts | secrets, st.none() | secrets, st.sampled_from(["generic", "slack"]), st.none() | texts, ifs
    )
)
retries = st.builds(
    Retry, counts, tuples(st.sampled_from(["failure", "error"]), 1), tuples(counts), seconds, seconds, maybe, seconds
)
pools = st.builds(Pool, texts, counts, st.sampled_from(["wait", "skip", "replace"]))
bounds = st.builds(
    Bound,
    programs,
    tuples(conditions),
    tuples(actions),
    st.builds(Limits, maybe, maybe, maybe),
    st.none() | retries,
    tuples(pools),
    st.builds(Deadlines, maybe, maybe, maybe, maybe),
)


@given(bounds)
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


def test_an_action_says_if_as_the_job_file_does() -> None:
    action = ScheduleJob("etl/load", {"date": "2026-11-24"}, If((State.SUCCESS,), (1,), ("start_by",)))
    view = {
        "type": "schedule",
        "job_id": "etl/load",
        "args": {"date": "2026-11-24"},
        "if": {"states": ["success"], "attempts": [1], "deadlines": ["start_by"]},
    }
    assert action_view(action) == view
    assert json.loads(dump_bound(Bound(NoOp(), actions=(action,))))["actions"] == [view]


def test_a_secret_is_its_name_everywhere() -> None:
    hook = Webhook(Secret("hook"), Secret("key"))
    assert action_view(hook)["url"] == {"secret": "hook"}
    assert program_view(Shell("x", env=Env({"A": Secret("a")})))["env"]["set"] == {"A": {"secret": "a"}}


def test_any_mapping_is_dumped() -> None:
    bound = Bound(NoOp(), (Dependency("a", Args({"x": "1"})),))
    assert load_bound(dump_bound(bound)) == Bound(NoOp(), (Dependency("a", {"x": "1"}),))


def test_what_an_older_server_wrote_has_nothing_new() -> None:
    text = (
        '{"program":{"argv":["a"],"group_id":"default","timeout":null,"stop":{"signal":"SIGTERM",'
        '"grace_period_s":60.0},"type":"process"},"conditions":[{"job_id":"b","args":{},"states":["success"],'
        '"exist":false,"type":"dependency"}]}'
    )
    assert load_bound(text) == Bound(Process(("a",)), (Dependency("b"),))
