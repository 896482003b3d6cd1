"""Timers on the two clocks."""

from apsis.engine.timers import TIDY_AT_ONCE, TIDY_FROM, GraceOver, RunDue, Timers
from tests.support.jobs import EPOCH


def test_what_is_due_at_a_time_is_due_when_the_clock_shows_it_however_seconds_add_up():
    timers = Timers()
    timers.after(19_431.918 + 19_800.0, GraceOver("r1", 1))  # 39231.918000000005
    now = EPOCH
    assert timers.next_at(now, 39_231.918) == now
    assert list(timers.due(now, 39_231.918)) == [GraceOver("r1", 1)]


def test_tidying_looks_at_some_a_turn_and_loses_nothing_that_means_something():
    timers, most = Timers(), TIDY_FROM + TIDY_AT_ONCE
    for n in range(most):
        timers.at(EPOCH.add(seconds=n + 1), RunDue(f"r{n}", n % 2))
    sizes = [len(timers)]
    while sizes[-1] > most // 2:
        timers.tidy(lambda timer: timer.attempt == 1)
        sizes.append(len(timers))
        timers.after(len(sizes), GraceOver("added meanwhile", 1))
        assert list(timers.due(EPOCH, len(sizes))) == [GraceOver("added meanwhile", 1)]
        assert sizes[-2] - sizes[-1] <= TIDY_AT_ONCE
    assert [timer.run_id for timer in timers.due(EPOCH.add(seconds=most + 1), 0)] == [
        f"r{n}" for n in range(1, most, 2)
    ]
