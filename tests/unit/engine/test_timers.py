"""Timers on the two clocks."""

from apsis.engine.timers import GraceOver, Timers
from tests.support.jobs import EPOCH


def test_what_is_due_at_a_time_is_due_when_the_clock_shows_it_however_seconds_add_up():
    timers = Timers()
    timers.after(19_431.918 + 19_800.0, GraceOver("r1", 1))  # 39231.918000000005
    now = EPOCH
    assert timers.next_at(now, 39_231.918) == now
    assert list(timers.due(now, 39_231.918)) == [GraceOver("r1", 1)]
