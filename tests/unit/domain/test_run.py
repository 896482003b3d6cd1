"""Run ids and args."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apsis.domain.args import Args, check_args
from apsis.domain.errors import BadArgs
from apsis.domain.run import scheduled_run_id
from tests.support.jobs import EPOCH

ARGS = st.dictionaries(st.text(min_size=1, max_size=5), st.text(max_size=5), max_size=4)


@given(ARGS)
def test_args_are_equal_whatever_their_order(values):
    turned = Args(dict(reversed(list(values.items()))))
    assert turned == Args(values)
    assert hash(turned) == hash(Args(values))
    assert dict(turned) == values


@given(st.lists(st.tuples(st.sampled_from(["a", "a/b"]), ARGS, st.integers(0, 3)), unique_by=repr, max_size=8))
def test_different_instances_and_times_have_different_run_ids(keys):
    ids = [scheduled_run_id(job, Args(args), EPOCH.add(milliseconds=ms)) for job, args, ms in keys]
    distinct = {(job, Args(args), ms) for job, args, ms in keys}
    assert len(set(ids)) == len(distinct)
    assert all(re.fullmatch(r"r[a-z2-7]{16}", run_id) for run_id in ids)


def test_a_run_id_never_changes_between_versions_of_apsis():
    assert scheduled_run_id("etl/load", Args({"date": "2026-11-24"}), EPOCH) == "r4hikom62abbhwecf"


def test_wrong_args_are_named():
    with pytest.raises(BadArgs, match=r"args of job 'etl': missing date and unknown data") as caught:
        check_args("etl", ("date", "region"), {"data": "1", "region": "us"})
    assert caught.value.help == "The job's params are: date, region."
