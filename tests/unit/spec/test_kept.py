"""Job files as they are kept: small, and the same when they are opened again."""

from apsis.spec import kept, models
from apsis.spec.bind import JobTemplate
from apsis.spec.kept import Kept, keep
from tests.unit.spec.files import NO_OP, load

ODD = {
    "program": {"type": "process", "argv": ["é\u2028", ""]},
    "metadata": {"big": 10**40, "small": -1.5e-300, "yes": True, "nothing": None, "list": [[], {}]},
}


def test_what_was_written_comes_back_as_it_was() -> None:
    opened = keep(ODD).written
    assert opened == ODD
    assert opened["metadata"]["yes"] is True


def test_the_models_are_made_again_with_the_calendars_of_the_settings() -> None:
    text = f"{NO_OP}schedule: {{type: daily, tz: UTC, daytime: 9:00, calendar: pay}}\n"
    for days in ("Fri", "Thu"):
        template = load({"a.yaml": text, "apsis.yaml": f"calendars: {{pay: {days}}}"}).jobs.jobs["a"].template
        assert isinstance(template, JobTemplate)
        (schedule,) = template.file.schedule
        assert isinstance(schedule, models.Daily)
        assert schedule.calendar.weekdays == template.kept.calendars["pay"].weekdays


def test_only_so_many_are_open_at_a_time() -> None:
    many = [keep({"program": {"type": "no-op"}, "metadata": {"number": n}}) for n in range(kept.MOST_OPEN + 50)]
    files = [one.file for one in many]
    assert many[-1].file is files[-1]
    assert many[0].file is not files[0]
    assert many[0].file == files[0]
    assert Kept(many[0].packed).written == many[0].written
