from hypothesis import given
from hypothesis import strategies as st
from whenever import Instant, TimeDelta

from apsis.lib.instant import from_ms, to_ms
from apsis.schedules.interval import PROVIDED, Interval

NOON = Instant.parse_iso("2026-11-24T12:00:00Z")
SPAN_MS = 40 * 365 * 86_400_000


def times(schedule: Interval, start: Instant, end: Instant) -> list[str]:
    return [occurrence.time.format_iso() for occurrence in schedule.between(start, end)]


def test_times_are_after_the_start_and_up_to_the_end() -> None:
    quarter = Interval(900_000)
    assert times(quarter, NOON, NOON + TimeDelta(minutes=30)) == ["2026-11-24T12:15:00Z", "2026-11-24T12:30:00Z"]
    assert times(quarter, NOON, NOON) == []
    assert times(quarter, NOON - TimeDelta(milliseconds=1), NOON) == ["2026-11-24T12:00:00Z"]


def test_a_phase_moves_all_times_and_may_be_longer_than_the_interval() -> None:
    assert times(Interval(900_000, 60_000), NOON, NOON + TimeDelta(minutes=20)) == [
        "2026-11-24T12:01:00Z",
        "2026-11-24T12:16:00Z",
    ]
    assert times(Interval(900_000, 960_000), NOON, NOON + TimeDelta(minutes=5)) == ["2026-11-24T12:01:00Z"]


def test_intervals_that_do_not_divide_a_day_count_from_1970() -> None:
    week = Interval(7 * 86_400_000)
    assert times(week, Instant.from_timestamp(0), Instant.from_utc(1970, 1, 20)) == [
        "1970-01-08T00:00:00Z",
        "1970-01-15T00:00:00Z",
    ]


def test_each_time_provides_itself_in_utc() -> None:
    (occurrence,) = Interval(900_000).between(NOON, NOON + TimeDelta(minutes=15))
    assert occurrence.provides == {
        "schedule_time": "2026-11-24T12:15:00Z",
        "time": "2026-11-24T12:15:00Z",
        "date": "2026-11-24",
        "daytime": "12:15:00",
    }
    assert occurrence.provides.keys() == PROVIDED


def test_words() -> None:
    assert Interval(900_000).describe() == "every 15m"
    assert Interval(5_400_000, 60_000).describe() == "every 1h 30m, 1m past"


@given(
    interval=st.integers(1000, 10**9),
    phase=st.integers(0, 10**9),
    start=st.integers(0, SPAN_MS),
    cut=st.floats(0, 1),
    steps=st.integers(1, 20),
)
def test_times_do_not_depend_on_where_one_begins(interval: int, phase: int, start: int, cut: float, steps: int) -> None:
    schedule = Interval(interval, phase)
    end = start + steps * interval
    middle = start + round((end - start) * cut)
    whole = [o.time for o in schedule.between(from_ms(start), from_ms(end))]
    parts = [
        *(o.time for o in schedule.between(from_ms(start), from_ms(middle))),
        *(o.time for o in schedule.between(from_ms(middle), from_ms(end))),
    ]
    assert whole == parts
    assert len(whole) == steps
    assert all((to_ms(time) - phase) % interval == 0 for time in whole)


def test_its_words_say_how_much_later_a_run_may_be() -> None:
    assert Interval(3_600_000, phase_ms=60_000, jitter_ms=90_000).describe() == "every 1h, 1m past, up to 1m 30s later"
