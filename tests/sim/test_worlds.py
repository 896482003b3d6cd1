"""Seeded worlds: some of them in every run of the tests; `make simulate` plays on for as long as one wants."""

import time

import pytest

from tests.sim import story

SLICE_S = {"tenth": 25.0, "full": 600.0}


@pytest.mark.timeout(900)
def test_every_promise_is_kept_in_every_world(request: pytest.FixtureRequest) -> None:
    chosen = request.config.getoption("--seed")
    until = time.perf_counter() + SLICE_S[request.config.getoption("--size")]
    seed = chosen if chosen is not None else 0
    while chosen in (None, seed) and time.perf_counter() < until:
        if (broken := story.play(seed)) is not None:
            pytest.fail(story.tell(story.shorten(broken)))
        seed += 1


def test_the_same_seed_is_the_same_world() -> None:
    def told() -> str:
        return story.tell(story.Broken(7, story.steps_of(7), ""))

    assert told() == told()
