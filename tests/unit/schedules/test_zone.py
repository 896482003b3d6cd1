import pytest
from hypothesis import given
from hypothesis import strategies as st
from whenever import Date, Instant, Time

from apsis.schedules import zone
from tests.unit.schedules.test_daily import ZONES

days = st.integers(0, 100 * 365).map(lambda n: Date(1971, 1, 1).add(days=n))
daytimes = st.builds(Time, st.integers(0, 23), st.integers(0, 59), st.integers(0, 59))


@given(st.sampled_from(ZONES), days, daytimes)
def test_there_and_back_is_the_same_unless_skipped(tz: str, day: Date, daytime: Time) -> None:
    back = zone.to_local(zone.to_instant(day, daytime, tz), tz)
    if zone.odd(day, daytime, tz) == "skipped":
        assert back > day.at(daytime)
    else:
        assert back == day.at(daytime)


@given(st.sampled_from(ZONES), days, daytimes)
def test_a_repeated_time_is_the_first(tz: str, day: Date, daytime: Time) -> None:
    if zone.odd(day, daytime, tz) == "repeated":
        first, second = (
            day.at(daytime).assume_tz(tz, disambiguation=which).to_instant() for which in ("earlier", "later")
        )
        assert zone.to_instant(day, daytime, tz) == first < second


@pytest.mark.parametrize(
    ("tz", "day", "daytime", "end"),
    [
        ("America/New_York", "2026-03-08", "02:00", "2026-03-08T07:00:00Z"),
        ("America/New_York", "2026-03-08", "02:59:59", "2026-03-08T07:00:00Z"),
        ("Australia/Lord_Howe", "2026-10-04", "02:15", "2026-10-03T15:30:00Z"),
        ("Pacific/Apia", "2011-12-30", "12:00", "2011-12-30T10:00:00Z"),
        ("America/Sao_Paulo", "2018-11-04", "00:30", "2018-11-04T03:00:00Z"),
    ],
)
def test_a_skipped_time_is_the_end_of_the_gap(tz: str, day: str, daytime: str, end: str) -> None:
    assert zone.to_instant(Date.parse_iso(day), Time.parse_iso(daytime), tz) == Instant.parse_iso(end)


def test_the_days_of_a_change_and_their_neighbours_are_found() -> None:
    found = zone.change_days("Europe/Zurich", Date(2026, 1, 1), 366)
    assert Date(2026, 3, 29) in found
    assert Date(2026, 10, 25) in found
    assert len(found) == 6
    assert zone.change_days("Asia/Tokyo", Date(2026, 1, 1), 366) == ()


@pytest.mark.parametrize(
    "name", ["", "New York", "../etc/passwd", "/etc/localtime", "utc ", "Europe/", "\0", "a" * 10_000, "é"]
)
def test_what_is_no_zone_is_none(name: str) -> None:
    assert not zone.is_zone(name)


def test_known_zones_are_zones() -> None:
    assert all(zone.is_zone(name) for name in ZONES)
    assert "Europe/Zurich" in zone.zone_names()
