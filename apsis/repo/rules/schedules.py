"""Rules about schedules."""

from collections.abc import Iterator
from typing import Final

from apsis.domain.job import Job
from apsis.lib.template import is_template
from apsis.repo.rules.found import Snapshot, places, unknown_arg
from apsis.schedules import provide, zone
from apsis.schedules.daily import Daily
from apsis.spec.bind import JobTemplate
from apsis.spec.complain import Complaint
from apsis.spec.judged import Found, Judged
from apsis.spec.yaml import Path

DST_DAYS: Final = 366
"""How far from the revision's time on a change of the clocks is warned of: the next one of each kind."""


def schedules_give_the_params(job: Job, template: JobTemplate) -> Iterator[Found]:
    """Each schedule must give exactly the params of its job."""
    for path, schedule in zip(places(template.written, "schedule"), job.schedules, strict=True):
        if missing := set(job.params) - schedule.provided - schedule.args.keys():
            names = ", ".join(sorted(missing))
            offered = ", ".join(sorted(schedule.provided))
            yield Found(
                Complaint(
                    "missing_arg",
                    path,
                    f"the schedule gives no {names}, which the job has as params",
                    f"Give it in the schedule's args. By itself it provides {offered}.",
                )
            )
        for name in sorted(schedule.args.keys() - set(job.params)):
            yield Found(unknown_arg((*path, "args", name), name, job.job_id, job.params))


def schedule_args_are_plain(job: Job, template: JobTemplate) -> Iterator[Found]:
    """Nothing fills in the args of a schedule."""
    for path, schedule in zip(places(template.written, "schedule"), job.schedules, strict=True):
        for name, value in schedule.args.items():
            if is_template(value):
                message = "the args of a schedule are not templates: this is taken as it is"
                yield Found(Complaint("not_a_template", (*path, "args", name), message), "warning")


def daytimes_exist_once(job: Job, _: Judged, snapshot: Snapshot) -> Iterator[Found]:
    """Warn of a daytime that the clocks will skip or repeat on a day of its calendar."""
    for index, schedule in enumerate(job.schedules):
        if not isinstance(schedule, Daily) or not schedule.enabled:
            continue
        warned: set[tuple[int, str]] = set()
        for day in zone.change_days(schedule.tz, snapshot.day, DST_DAYS):
            if schedule.nominal(day) is None:
                continue
            for number, daytime in enumerate(schedule.daytimes):
                how = zone.odd(day, daytime, schedule.tz)
                if how is None or (number, how) in warned:
                    continue
                warned.add((number, how))
                at = zone.to_local(zone.to_instant(day, daytime, schedule.tz), schedule.tz).time()
                then = f"the run is at {provide.short_daytime(at)}" if how == "skipped" else "the run is at the first"
                message = f"{provide.short_daytime(daytime)} is {how} on {day} in {schedule.tz}: {then}"
                path = (*_place(job, index), "daytime", number)
                yield Found(Complaint(f"dst_{how}", path, message), "warning")


def _place(job: Job, index: int) -> Path:
    assert isinstance(job.template, JobTemplate)  # noqa: S101 - a snapshot's jobs are made of files
    return places(job.template.written, "schedule")[index]
