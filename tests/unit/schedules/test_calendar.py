import pytest
from hypothesis import given
from hypothesis import strategies as st
from whenever import Date

from apsis.schedules.calendar import Calendar, parse_calendar

FRIDAY = Date(2026, 11, 27)
SUNDAY = Date(2026, 11, 29)
MONDAY = Date(2026, 11, 30)


@pytest.mark.parametrize(
    ("written", "weekdays"),
    [
        ("all", {1, 2, 3, 4, 5, 6, 7}),
        ("none", set()),
        ("Mon-Fri", {1, 2, 3, 4, 5}),
        ("mon,wed", {1, 3}),
        ("Mon, Wed , FRI", {1, 3, 5}),
        ("Monday", {1}),
        ("Weekdays", {1, 2, 3, 4, 5}),
        ("weekends", {6, 7}),
        ("Sat-Mon", {6, 7, 1}),
        ("Mon - Tue", {1, 2}),
        ("Mon-Mon", {1}),
        (["mon", "Thu-Fri"], {1, 4, 5}),
    ],
)
def test_weekdays_are_read_in_many_spellings(written: str | list[str], weekdays: set[int]) -> None:
    assert parse_calendar(written).weekdays == frozenset(weekdays)


@pytest.mark.parametrize("written", ["", "Mo-Fr", "Mon-", "-Fri", "Mon--Fri", "mon;tue", "mon,", "12"])
def test_what_is_no_calendar_is_refused(written: str) -> None:
    with pytest.raises(ValueError, match="is no calendar"):
        parse_calendar(written)


def test_an_empty_list_is_not_taken_for_none() -> None:
    with pytest.raises(ValueError, match="write none"):
        parse_calendar([])


def test_a_named_calendar_keeps_its_name_and_can_be_joined_with_weekdays() -> None:
    named = {"pay": Calendar("Fri", frozenset({5}))}
    assert parse_calendar("pay", named) == Calendar("pay", frozenset({5}))
    assert parse_calendar("pay, mon", named).weekdays == frozenset({1, 5})


def test_before_and_after_are_on_or_prev_and_next_are_strict() -> None:
    weekdays = parse_calendar("Mon-Fri")
    assert (weekdays.before(FRIDAY), weekdays.after(FRIDAY)) == (FRIDAY, FRIDAY)
    assert (weekdays.before(SUNDAY), weekdays.after(SUNDAY)) == (FRIDAY, MONDAY)
    assert (weekdays.prev(MONDAY), weekdays.next(FRIDAY)) == (FRIDAY, MONDAY)


def test_an_empty_calendar_has_nothing_to_go_to() -> None:
    with pytest.raises(ValueError, match="has no dates"):
        parse_calendar("none").next(FRIDAY)


@given(st.sets(st.integers(1, 7), min_size=1), st.integers(-100, 100), st.integers(0, 10_000))
def test_a_shift_is_so_many_single_steps(weekdays: set[int], count: int, day: int) -> None:
    calendar = Calendar("some", frozenset(weekdays))
    start = Date(1990, 1, 1).add(days=day)
    stepped = start
    for _ in range(abs(count)):
        stepped = calendar.next(stepped) if count > 0 else calendar.prev(stepped)
    assert calendar.shift(start, count) == stepped


@given(st.sets(st.integers(1, 7), min_size=1), st.integers(-50, 50), st.integers(0, 10_000))
def test_a_shift_back_undoes_a_shift_of_a_date_of_the_calendar(weekdays: set[int], count: int, day: int) -> None:
    calendar = Calendar("some", frozenset(weekdays))
    start = calendar.after(Date(1990, 1, 1).add(days=day))
    assert calendar.shift(calendar.shift(start, count), -count) == start
