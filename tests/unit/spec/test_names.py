import pytest
from hypothesis import given
from hypothesis import strategies as st
from whenever import Date, Instant

from apsis.domain.args import Args
from apsis.lib.template import TemplateError, render
from apsis.schedules.calendar import Calendar
from apsis.spec.names import names_of

DUE = Instant.parse_iso("2026-11-24T14:30:00Z")
CALENDARS = {"pay": Calendar("pay", frozenset({5}))}


def filled(expression: str, **args: str) -> str:
    return render(
        "{{ " + expression + " }}", names_of("job", "r1", Args({"date": "2026-11-24", **args}), DUE, CALENDARS)
    )


@pytest.mark.parametrize(
    ("expression", "text"),
    [
        ("run_id ~ job_id ~ schedule_time", "r1job2026-11-24T14:30:00Z"),
        ("Date(date)", "2026-11-24"),
        ("Date('20261124')", "2026-11-24"),
        ("Date(date) + 7", "2026-12-01"),
        ("1 + Date(date)", "2026-11-25"),
        ("Date(date) - 24", "2026-10-31"),
        ("Date(date) - Date('2026-11-01')", "23"),
        ("Date(Date(date))", "2026-11-24"),
        ("Date(date) < Date('2027-01-01') and Date(date) == Date('2026-11-24')", "True"),
        ("Date(date).year ~ '/' ~ Date(date).month ~ '/' ~ Date(date).day ~ Date(date).weekday", "2026/11/24Tue"),
        ("Date(date).strftime('%Y%m%d %a %A %b %B %j %u %y %e %F 100%%')",
         "20261124 Tue Tuesday Nov November 328 2 26 24 2026-11-24 100%"),
        ("format(Date(date), '%d.%m.%Y')", "24.11.2026"),
        ("format(3.14159, '.2f') ~ format('x', '>3') ~ format(Date(date))", "3.14  x2026-11-24"),
        ("Daytime('9:30')", "09:30:00"),
        ("Daytime('9:30:15').hour + Daytime('9:30:15').minute + Daytime('9:30:15').second", "54"),
        ("Daytime('21:05').strftime('%I:%M %p')", "09:05 PM"),
        ("Time('2026-11-24T12:00:00+01:00')", "2026-11-24T11:00:00Z"),
        ("Time('2026-11-24T12:00:00Z') + 90", "2026-11-24T12:01:30Z"),
        ("schedule_time - Time('2026-11-24T14:00:00Z')", "1800.0"),
        ("schedule_time.strftime('%H:%M:%S')", "14:30:00"),
        ("TimeZone('Asia/Tokyo')", "Asia/Tokyo"),
        ("to_local(schedule_time, 'Asia/Tokyo')", "2026-11-24T23:30:00"),
        ("to_local(schedule_time, TimeZone('America/New_York')).date", "2026-11-24"),
        ("to_local(schedule_time, 'America/New_York').daytime", "09:30:00"),
        ("to_local(schedule_time, 'Asia/Tokyo').strftime('%T')", "23:30:00"),
        ("from_local(date, '9:30', 'America/New_York')", "2026-11-24T14:30:00Z"),
        ("from_local((date, '9:30'), 'America/New_York')", "2026-11-24T14:30:00Z"),
        ("from_local(to_local(schedule_time, 'Asia/Tokyo'), 'Asia/Tokyo')", "2026-11-24T14:30:00Z"),
        ("from_local('2026-03-08', '2:30', 'America/New_York')", "2026-03-08T07:00:00Z"),
        ("get_calendar('Mon-Fri').before('2026-11-29')", "2026-11-27"),
        ("get_calendar('Mon-Fri').after('2026-11-29')", "2026-11-30"),
        ("get_calendar('Mon-Fri').before(date) ~ get_calendar('Mon-Fri').after(date)", "2026-11-242026-11-24"),
        ("get_calendar('Mon-Fri').prev('2026-11-30') ~ get_calendar('Mon-Fri').next('2026-11-27')",
         "2026-11-272026-11-30"),
        ("get_calendar('Mon-Fri').shift(Date(date), -5)", "2026-11-17"),
        ("get_calendar('pay').after(date) ~ get_calendar('pay')", "2026-11-27pay"),
        ("get_calendar('pay').contains('2026-11-27')", "True"),
    ],
)  # fmt: skip
def test_dates_and_times_can_be_counted_with(expression: str, text: str) -> None:
    assert filled(expression) == text


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("Date('x')", "'x' is no date: write 2026-11-24"),
        ("Date(date) + 1.5", "days are whole numbers"),
        ("Date(date) + 10**12", ""),
        ("Date(date) + 10**7", ""),
        ("Date(date) * 2", "is for numbers"),
        ("Date(date) < date", "cannot be compared"),
        ("Daytime('25:00')", "is no daytime"),
        ("Time('12:00')", "is no time"),
        ("TimeZone('Mars')", "no time zone 'Mars'"),
        ("get_calendar('mars')", "is no calendar"),
        ("get_calendar('none').next(date)", "has no dates"),
        ("get_calendar('all').shift(date, 10**15)", ""),
        ("from_local(date, 'America/New_York')", "takes a date, a daytime and a time zone"),
        ("from_local()", ""),
        ("Date(date).strftime('%Q')", "no code '%Q'"),
        ("Date(date).strftime('%1000000000Y')", "no code '%1'"),
        ("Date(date).strftime('%')", "no code '%'"),
        ("format(1, '>1000000000')", "width of more than"),
        ("TimeZone('UTC').strftime('%Y')", "no 'strftime'"),
        ("format(TimeZone('UTC'), '%Y')", "cannot be formatted"),
        ("Date(date).value", "no 'value'"),
        ("Date(date).__class__", "no '__class__'"),
        ("Date.__globals__", "no '__globals__'"),
        ("get_calendar.__closure__", "no '__closure__'"),
        ("schedule_time.value", "no 'value'"),
        ("Date", "it is a function"),
    ],
)
def test_what_they_cannot_do_is_said(expression: str, words: str) -> None:
    with pytest.raises(TemplateError) as error:
        filled(expression)
    assert words in error.value.message
    assert error.value.message


def test_an_arg_wins_over_a_name_of_ours() -> None:
    assert filled("schedule_time", schedule_time="mine") == "mine"


def test_what_a_schedule_provides_reads_back() -> None:
    assert filled("Time(time) + 60", time="2026-11-24T12:00:00Z") == "2026-11-24T12:01:00Z"


@given(st.integers(-30_000, 30_000))
def test_days_added_are_days_apart(days: int) -> None:
    moved = Date(2026, 11, 24).add(days=days).format_iso()
    assert filled(f"Date(date) + {days}" if days >= 0 else f"Date(date) - {-days}") == moved
    assert filled("Date(other) - Date(date)", other=moved) == str(days)
