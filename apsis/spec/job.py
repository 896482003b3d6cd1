"""One job file: from its text to a job, or to what is wrong with it."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from pydantic import ValidationError

from apsis.domain.args import Args
from apsis.domain.job import Job, Source
from apsis.domain.schedule import Schedule
from apsis.schedules.daily import Daily
from apsis.schedules.interval import Interval
from apsis.spec import models
from apsis.spec.bind import JobTemplate, listed
from apsis.spec.complain import Complaint, complaints
from apsis.spec.fields import CALENDARS, kind
from apsis.spec.settings import Settings
from apsis.spec.yaml import Document

SPELLED: Final = frozenset({"args", "argv"})
"""Keys whose values are text however they look: `n: 010` means "010"."""


def make_job(
    document: Document, job_id: str, written_id: str, source: Source, text: str, settings: Settings
) -> Job | list[Complaint]:
    """Return the job, or all that is wrong. `written_id` is the id without the repository's prefix."""
    data = document.value
    if not isinstance(data, dict):
        return [Complaint("bad_type", (), f"a job file is a mapping of keys, not {kind(data)}")]
    for path, spelling in document.spelled.items():
        _spell(data, path, spelling)
    _spell_types(data, settings.types)
    try:
        file = models.JobFile.model_validate(data, context={CALENDARS: settings.calendars})
    except ValidationError as error:
        return [*complaints(error, data, models.JobFile.model_fields), *_judge(data, written_id)]
    if found := _judge(data, written_id):
        return found
    metadata = data.get("metadata") or {}
    return Job(
        job_id=job_id,
        params=file.params,
        schedules=tuple(_schedule(schedule) for schedule in file.schedule),
        template=JobTemplate(file, data, source.repo, settings.calendars),
        source=source,
        text=text,
        description=file.metadata.description,
        labels=file.metadata.labels,
        metadata=metadata,
    )


def _spell(data: Any, path: Sequence[str | int], spelling: str) -> None:
    """Put the source of a number or bool where text is meant."""
    if len(path) < 2 or path[-2] not in SPELLED or path[0] == "metadata":
        return
    for part in path[:-1]:
        data = data[part]
    if data[path[-1]] is not None:
        data[path[-1]] = spelling


def _spell_types(data: dict[str, Any], types: Mapping[str, str]) -> None:
    """Put the type for a repository's own name of it."""
    if not types:
        return
    for key in ("program", "schedule", "condition", "conditions"):
        for item in listed(data.get(key)):
            if isinstance(item, dict) and isinstance(item.get("type"), str):
                item["type"] = types.get(item["type"], item["type"])


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
    if data.get("condition") is not None and data.get("conditions") is not None:
        found.append(Complaint("both", ("conditions",), "condition and conditions are the same: use one", None, True))
    params = data.get("params")
    if isinstance(params, list):
        twice = next((n for n, name in enumerate(params) if name in params[:n]), None)
        if twice is not None:
            found.append(Complaint("bad_param", ("params", twice), f"the param {params[twice]!r} is named twice"))
    return found


def _schedule(written: models.Interval | models.Daily) -> Schedule:
    args = Args(written.args)
    if isinstance(written, models.Interval):
        return Interval(_ms(written.interval), _ms(written.phase), written.enabled, args)
    return Daily(
        tz=written.tz,
        daytimes=written.daytime,
        calendar=written.calendar,
        date_shift=written.date_shift,
        cal_shift=written.cal_shift,
        enabled=written.enabled,
        args=args,
    )


def _ms(seconds: float) -> int:
    return round(seconds * 1000)
