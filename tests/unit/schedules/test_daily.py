from itertools import islice, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from whenever import Instant, Time, TimeDelta

from apsis.schedules import zone
from apsis.schedules.calendar import parse_calendar
from apsis.schedules.daily import PROVIDED, Daily

ZONES = [
    "UTC", "America/New_York", "Europe/Zurich", "Asia/Tokyo", "Australia/Lord_Howe", "Pacific/Apia", "Asia/Kathmandu",
    "America/Sao_Paulo", "Africa/Cairo", "Pacific/Chatham", "America/St_Johns", "Europe/London",
]  # fmt: skip
CALENDARS = ["all", "Mon-Fri", "Sat,Sun", "wed", "Sun-Tue"]


def daily(*daytimes: str, tz: str = "UTC", calendar: str = "all", date_shift: int = 0, cal_shift: int = 0) -> Daily:
    return Daily(
        tz, tuple(Time.parse_iso(t) for t in daytimes), parse_calendar(calendar), date_shift, cal_shift
    )  # fmt: skip


def at(text: str) -> Instant:
    return Instant.parse_iso(text)


def times(schedule: Daily, start: str, end: str) -> list[str]:
    return [occurrence.time.format_iso() for occurrence in schedule.between(at(start), at(end))]


def test_a_local_daytime_follows_the_clocks_of_its_zone() -> None:
    schedule = daily("09:30", tz="America/New_York")
    assert times(schedule, "2026-03-07T00:00Z", "2026-03-09T00:00Z") == ["2026-03-07T14:30:00Z", "2026-03-08T13:30:00Z"]


def test_times_are_after_the_start_and_up_to_the_end() -> None:
    schedule = daily("09:30")
    assert times(schedule, "2026-03-07T09:30Z", "2026-03-08T09:30Z") == ["2026-03-08T09:30:00Z"]
    assert times(schedule, "2026-03-07T09:30Z", "2026-03-07T09:30Z") == []
    assert times(schedule, "2026-03-08T09:30Z", "2026-03-07T09:30Z") == []


def test_several_daytimes_come_in_order_and_once() -> None:
    schedule = daily("17:00", "09:00", "17:00")
    assert times(schedule, "2026-03-07T00:00Z", "2026-03-08T10:00Z") == [
        "2026-03-07T09:00:00Z",
        "2026-03-07T17:00:00Z",
        "2026-03-08T09:00:00Z",
    ]


def test_only_the_dates_of_the_calendar_have_runs() -> None:
    schedule = daily("09:00", calendar="Mon-Fri")
    assert times(schedule, "2026-11-20T12:00Z", "2026-11-24T00:00Z") == ["2026-11-23T09:00:00Z"]


def test_an_empty_calendar_has_none_and_says_so_at_once() -> None:
    assert list(daily("09:00", calendar="none").between(Instant.MIN, Instant.MAX)) == []


def test_a_long_span_is_read_lazily() -> None:
    first = islice(daily("09:00").between(at("2026-01-01T00:00Z"), at("9000-01-01T00:00Z")), 1)
    assert [o.time.format_iso() for o in first] == ["2026-01-01T09:00:00Z"]


def test_a_date_shift_moves_the_run_and_not_the_date() -> None:
    schedule = daily("06:00", calendar="Fri", date_shift=1)
    (occurrence,) = schedule.between(at("2026-11-23T00:00Z"), at("2026-11-30T00:00Z"))
    assert (occurrence.time.format_iso(), occurrence.provides["date"]) == ("2026-11-28T06:00:00Z", "2026-11-27")


def test_a_calendar_shift_goes_by_dates_of_the_calendar_and_before_the_date_shift() -> None:
    schedule = daily("06:00", calendar="Mon-Fri", cal_shift=1, date_shift=-1)
    found = {
        o.provides["date"]: o.time.format_iso()
        for o in schedule.between(at("2026-11-22T00:00Z"), at("2026-11-25T00:00Z"))
    }
    # Friday's next weekday is Monday, and a day before that is Sunday.
    assert found == {
        "2026-11-20": "2026-11-22T06:00:00Z",
        "2026-11-23": "2026-11-23T06:00:00Z",
        "2026-11-24": "2026-11-24T06:00:00Z",
    }


def test_a_skipped_time_runs_at_the_end_of_the_gap() -> None:
    schedule = daily("02:30", tz="America/New_York")
    (occurrence,) = schedule.between(at("2026-03-08T00:00Z"), at("2026-03-08T23:00Z"))
    assert occurrence.time == at("2026-03-08T07:00:00Z")
    assert occurrence.provides["daytime"] == "02:30:00"


def test_two_skipped_daytimes_stay_two_as_their_daytimes_differ() -> None:
    schedule = daily("02:15", "02:45", tz="America/New_York")
    found = list(schedule.between(at("2026-03-08T00:00Z"), at("2026-03-08T23:00Z")))
    assert [o.provides["daytime"] for o in found] == ["02:15:00", "02:45:00"]
    assert {o.time for o in found} == {at("2026-03-08T07:00:00Z")}


def test_a_repeated_time_runs_once_at_the_first() -> None:
    assert times(daily("01:30", tz="America/New_York"), "2026-11-01T00:00Z", "2026-11-01T23:00Z") == [
        "2026-11-01T05:30:00Z"
    ]


def test_a_day_that_a_zone_left_out_runs_when_the_next_begins() -> None:
    schedule = daily("08:00", tz="Pacific/Apia")
    found = list(schedule.between(at("2011-12-29T20:00Z"), at("2011-12-31T20:00Z")))
    assert [(o.provides["date"], o.time.format_iso()) for o in found] == [
        ("2011-12-30", "2011-12-30T10:00:00Z"),
        ("2011-12-31", "2011-12-30T18:00:00Z"),
        ("2012-01-01", "2011-12-31T18:00:00Z"),
    ]


def test_it_provides_where_its_time_comes_from() -> None:
    schedule = daily("09:30", tz="Asia/Tokyo", calendar="Mon-Fri")
    (occurrence,) = schedule.between(at("2026-11-24T00:00Z"), at("2026-11-25T00:00Z"))
    assert occurrence.provides == {
        "schedule_time": "2026-11-24T00:30:00Z",
        "time": "2026-11-24T00:30:00Z",
        "date": "2026-11-24",
        "daytime": "09:30:00",
        "calendar": "Mon-Fri",
        "tz": "Asia/Tokyo",
    }
    assert occurrence.provides.keys() == PROVIDED


@pytest.mark.parametrize(
    ("schedule", "words"),
    [
        (daily("09:30", tz="America/New_York", calendar="Mon-Fri"), "daily at 09:30 America/New_York on Mon-Fri"),
        (daily("17:00", "09:00:30"), "daily at 09:00:30, 17:00 UTC"),
        (daily("09:30", date_shift=1), "daily at 09:30 UTC, 1 day later"),
        (daily("09:30", calendar="Fri", cal_shift=-2), "daily at 09:30 UTC on Fri, 2 calendar days earlier"),
    ],
)
def test_words(schedule: Daily, words: str) -> None:
    assert schedule.describe() == words


schedules = st.builds(
    Daily,
    st.sampled_from(ZONES),
    st.lists(st.builds(Time, st.integers(0, 23), st.integers(0, 59)), min_size=1, max_size=4).map(tuple),
    st.sampled_from(CALENDARS).map(parse_calendar),
    st.integers(-10, 10),
    st.integers(-10, 10),
)
instants = st.integers(0, 80 * 365 * 86_400).map(Instant.from_timestamp)


@given(schedules, instants, st.integers(0, 20 * 86_400), st.floats(0, 1))
def test_times_do_not_depend_on_where_one_begins(schedule: Daily, start: Instant, seconds: int, cut: float) -> None:
    end, middle = start + TimeDelta(seconds=seconds), start + TimeDelta(seconds=round(seconds * cut))
    whole = list(schedule.between(start, end))
    assert whole == [*schedule.between(start, middle), *schedule.between(middle, end)]
    assert all(start < o.time <= end for o in whole)
    assert all(a.time <= b.time for a, b in pairwise(whole))


@given(schedules, instants)
def test_every_date_of_the_calendar_has_each_daytime_once(schedule: Daily, start: Instant) -> None:
    span = TimeDelta(hours=24 * 60)
    found = [(o.provides["date"], o.provides["daytime"]) for o in schedule.between(start, start + span)]
    assert len(found) == len(set(found))
    per_date = {date: [d for d, _ in found].count(date) for date, _ in found}
    dates = sorted(per_date)
    for date in dates[1:-1]:
        assert per_date[date] == len(set(schedule.daytimes))


@given(schedules, instants)
def test_the_clocks_show_the_daytime_unless_they_jump_over_it(schedule: Daily, start: Instant) -> None:
    for occurrence in schedule.between(start, start + TimeDelta(hours=24 * 10)):
        shown = zone.to_local(occurrence.time, schedule.tz)
        wanted = Time.parse_iso(occurrence.provides["daytime"])
        if shown.time() != wanted:
            just_before = zone.to_local(occurrence.time - TimeDelta(seconds=1), schedule.tz)
            assert just_before.date().at(just_before.time()) < shown.date().at(shown.time()).subtract(
                seconds=2, naive_arithmetic_ok=True
            )
