import pytest

from apsis.domain.errors import BindError
from apsis.spec.message import EVENT_NAMES, MESSAGE_NAMES, fill

EVENT = {
    "run_id": "rabcdefghijklmnop",
    "job_id": "etl/load",
    "args": {"date": "2026-11-24"},
    "state": "failure",
    "message": "exit code 1",
    "attempt": 2,
    "schedule_time": "2026-11-24T14:30:00.000Z",
    "time": "2026-11-24T14:35:00.000Z",
    "labels": ["etl", "nightly"],
    "revision": "abc",
}


@pytest.mark.parametrize(
    ("text", "filled"),
    [
        ("plain {not} $x 100%", "plain {not} $x 100%"),
        ("{{ job_id }} {{ date }}: {{ state }}, {{ message }}", "etl/load 2026-11-24: failure, exit code 1"),
        ("attempt {{ attempt + 1 }}", "attempt 3"),
        ("{{ labels|join(', ') }}", "etl, nightly"),
        ("{{ schedule_time }} {{ time }}", "2026-11-24T14:30:00Z 2026-11-24T14:35:00Z"),
        ("{{ time - schedule_time }}", "300.0"),
        ("{{ to_local(time, 'Asia/Tokyo').daytime }}", "23:35:00"),
        ("{{ Date(date) + 1 }}", "2026-11-25"),
        ("{% if deadline %}late{% else %}in time{% endif %}", "in time"),
        ("{{ revision }}", "abc"),
    ],
)
def test_a_message_knows_the_run_and_what_has_happened(text: str, filled: str) -> None:
    assert fill(text, EVENT) == filled


def test_what_the_event_does_not_have_is_empty() -> None:
    text = "[{{ deadline }}{{ message }}{{ revision }}{{ labels|length }}]"
    assert fill(text, {**EVENT, "message": None, "revision": None, "labels": None}) == "[0]"
    assert fill("{{ deadline }}", {**EVENT, "deadline": "start_by"}) == "start_by"


def test_an_arg_hides_a_name() -> None:
    assert fill("{{ state }} {{ get_calendar }}", {**EVENT, "args": {"state": "NY", "get_calendar": "x"}}) == "NY x"


def test_every_name_that_the_check_allows_is_there() -> None:
    assert EVENT_NAMES < MESSAGE_NAMES
    for name in MESSAGE_NAMES:
        fill(f"{{% if {name} %}}{{% endif %}}", EVENT)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{{ nope }}", "'nope' is undefined"),
        ("{{ get_calendar('all') }}", "'get_calendar' is undefined"),
        ("{{ 1/0 }}", "division by zero"),
        ("{{ state", "unexpected end"),
        ("{{ labels }}", "use join"),
    ],
)
def test_what_cannot_be_filled_in_is_told_in_words(text: str, words: str) -> None:
    with pytest.raises(BindError, match=words):
        fill(text, EVENT)


def test_an_event_without_a_time_is_told() -> None:
    with pytest.raises(BindError, match="the event's time 'now' is none"):
        fill("{{ time }}", {**EVENT, "time": "now"})
