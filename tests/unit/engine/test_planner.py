"""How many runs of a job are made ahead of time."""

import pytest

from apsis.engine.planner import FEWEST_COMING, MOST_COMING, MOST_OF_ALL, most_coming, plan
from tests.support.jobs import EPOCH, every, job


def test_few_jobs_have_all_their_coming_runs_and_very_many_have_a_few_each():
    assert most_coming(0) == most_coming(1) == most_coming(25_000) == MOST_COMING
    assert most_coming(50_000) == 8
    assert most_coming(100_000) == most_coming(10_000_000) == FEWEST_COMING
    assert 50_000 * most_coming(50_000) <= MOST_OF_ALL


@pytest.mark.parametrize("most", [FEWEST_COMING, MOST_COMING])
def test_plans_of_any_size_lead_on_without_a_gap_and_are_made_before_the_last_run_is_due(most):
    minutely, after, times = job(schedules=(every(60),)), EPOCH, []
    for _ in range(5):
        made = plan(minutely, after, EPOCH, most=most)
        assert len(made.runs) == most
        assert made.replan_at < made.runs[-1].schedule_time
        times += [run.schedule_time for run in made.runs]
        after = made.until
    assert times == [EPOCH.add(minutes=n + 1) for n in range(5 * most)]
