import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apsis.lib.duration import MAX_S, format_duration, parse_duration


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        (30, 30), (0.5, 0.5), ("30", 30), ("30s", 30), ("30 sec", 30), ("1 second", 1), ("5 min", 300), ("5m", 300),
        ("1.5h", 5400), ("2 hours", 7200), ("1 day", 86400), ("2w", 1209600), ("1h 30m", 5400), ("1h30m", 5400),
        (" 1 week 1 day ", 691200), ("0", 0), ("1 H", 3600),
    ],
)  # fmt: skip
def test_durations_are_read_as_people_write_them(written: str | float, seconds: float) -> None:
    assert parse_duration(written) == seconds


@pytest.mark.parametrize(
    "written",
    ["", " ", "s", "5 parsecs", "1h 30", "-1s", -1, float("nan"), float("inf"), "1e3", "1_000", "1:30", "٣s",
     10**30, "999999999w", "1.h", "½h"],
)  # fmt: skip
def test_what_is_no_duration_is_refused_in_words(written: str | float) -> None:
    with pytest.raises(ValueError, match=r"duration|unit of time"):
        parse_duration(written)


@given(st.integers(0, MAX_S * 1000))
def test_what_is_formatted_reads_as_the_same(ms: int) -> None:
    assert parse_duration(format_duration(ms / 1000)) == pytest.approx(ms / 1000)


@given(st.text(max_size=40))
def test_no_text_does_worse_than_a_value_error(text: str) -> None:
    with contextlib.suppress(ValueError):
        assert 0 <= parse_duration(text) <= MAX_S


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0s"), (15, "15s"), (90, "1m 30s"), (5400, "1h 30m"), (0.25, "0.25s"), (604800, "1w")]
)
def test_durations_are_shown_short(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text
