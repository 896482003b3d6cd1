"""One job file: from its text to a job, or to what is wrong with it."""

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from apsis.domain.args import NO_ARGS, Args
from apsis.domain.job import Job, Source
from apsis.domain.schedule import Schedule
from apsis.lib.shared import shared
from apsis.schedules.daily import Daily
from apsis.schedules.interval import Interval
from apsis.spec import models
from apsis.spec.bind import JobTemplate, listed
from apsis.spec.bind_policies import bind_catch_up
from apsis.spec.complain import Complaint, complaints
from apsis.spec.fields import kind
from apsis.spec.kept import keep
from apsis.spec.settings import Settings
from apsis.spec.spelling import spell, spell_types
from apsis.spec.yaml import Document


def make_job(
    document: Document, job_id: str, written_id: str, source: Source, text: str, settings: Settings
) -> Job | list[Complaint]:
    """Return the job, or all that is wrong. `written_id` is the id without the repository's prefix."""
    data = document.value
    if not isinstance(data, dict):
        return [Complaint("bad_type", (), f"a job file is a mapping of keys, not {kind(data)}")]
    spell(data, document.spelled)
    spell_types(data, settings.types)
    try:
        kept = keep(data, settings.digest, settings.calendars)
        file = kept.file
    except ValidationError as error:
        return [*complaints(error, data, models.keys_of(models.JobFile)), *_judge(data, written_id)]
    if found := _judge(data, written_id):
        return found
    return Job(
        job_id=job_id,
        params=shared(file.params),
        schedules=tuple(_schedule(schedule) for schedule in file.schedule),
        template=JobTemplate(kept, source.repo, settings.shared),
        source=source,
        text=text,
        description=file.metadata.description,
        labels=shared(file.metadata.labels),
    )


def _judge(data: Mapping[str, Any], written_id: str) -> list[Complaint]:
    """Return what the models cannot know."""
    found = []
    given = data.get("job_id")
    if isinstance(given, str) and given != written_id:
        found.append(
            Complaint(
                "job_id", ("job_id",), f"job_id is {given!r}, but the file's place says {written_id!r}", "Remove it."
            )
        )
    for one, other in (("condition", "conditions"), ("action", "actions")):
        if data.get(one) is not None and data.get(other) is not None:
            found.append(Complaint("both", (other,), f"{one} and {other} are the same: use one", None, True))
    found += _pools_twice(data)
    params = data.get("params")
    if isinstance(params, list):
        twice = next((n for n, name in enumerate(params) if name in params[:n]), None)
        if twice is not None:
            found.append(Complaint("bad_param", ("params", twice), f"the param {params[twice]!r} is named twice"))
    return found


def _pools_twice(data: Mapping[str, Any]) -> list[Complaint]:
    names: list[object] = []
    for number, pool in enumerate(listed(data.get("pool"))):
        name = pool.get("name") if isinstance(pool, dict) else pool
        if isinstance(name, str) and name in names:
            return [Complaint("both", ("pool", number), f"the pool {name!r} is named twice", "Add up its slots.")]
        names.append(name)
    return []


def _schedule(written: models.Interval | models.Daily) -> Schedule:
    args = Args(written.args) if written.args else NO_ARGS
    if isinstance(written, models.Interval):
        return Interval(
            interval_ms=_ms(written.interval),
            phase_ms=_ms(written.phase),
            enabled=written.enabled,
            args=args,
            jitter_ms=_ms(written.jitter),
            catch_up=bind_catch_up(written),
        )
    return Daily(
        tz=shared(written.tz),
        daytimes=shared(written.daytime),
        calendar=written.calendar,
        date_shift=written.date_shift,
        cal_shift=written.cal_shift,
        enabled=written.enabled,
        args=args,
        jitter_ms=_ms(written.jitter),
        catch_up=bind_catch_up(written),
    )


def _ms(seconds: float) -> int:
    return round(seconds * 1000)
