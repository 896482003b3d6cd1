"""The check: what is wrong with a revision as a whole, beyond what each file says by itself. A rule is a function."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from apsis.domain.finding import Finding, Severity
from apsis.domain.job import Job
from apsis.lib.template import TemplateError, free_names, is_template
from apsis.schedules import provide, zone
from apsis.schedules.daily import Daily
from apsis.spec import models
from apsis.spec.bind import ELSEWHERE, JobTemplate, conditions_of, full_id
from apsis.spec.complain import Complaint, Place
from apsis.spec.fields import did_you_mean
from apsis.spec.load import Loaded
from apsis.spec.names import PROVIDED
from apsis.spec.yaml import Path

DST_DAYS: Final = 366
"""How far from the revision's time on a change of the clocks is warned of: the next one of each kind."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a rule found; `within` is a word inside the value to point at."""

    complaint: Complaint
    severity: Severity = "error"
    within: str | None = None


@dataclass(slots=True)
class Snapshot:
    """What rules look at: the jobs, and every id that has a file, readable or not."""

    loaded: Loaded
    jobs: Mapping[str, Job] = field(init=False)
    known: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        self.jobs = self.loaded.jobs.jobs
        self.known = frozenset(self.loaded.ids.values())


Rule = Callable[[Job, JobTemplate, Snapshot], Iterator[Found]]


def check(loaded: Loaded) -> tuple[Finding, ...]:
    """Return all findings, the loader's included, by file and line."""
    snapshot = Snapshot(loaded)
    findings = list(loaded.findings)
    for job in snapshot.jobs.values():
        if not isinstance(job.template, JobTemplate):
            continue
        found = [item for rule in RULES for item in rule(job, job.template, snapshot)]
        if found:
            place = Place(job.source.path, job.text)
            findings.extend(place.finding(item.complaint, item.severity, item.within) for item in found)
    return tuple(sorted(findings, key=lambda f: (f.path, f.line or 0, f.column or 0, f.code)))


def schedules_give_the_params(job: Job, template: JobTemplate, _: Snapshot) -> Iterator[Found]:
    """Each schedule must give exactly the params of its job."""
    for path, schedule in zip(_places(template, "schedule"), job.schedules, strict=True):
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
            yield Found(_unknown_arg((*path, "args", name), name, job.job_id, job.params))


def schedule_args_are_plain(job: Job, template: JobTemplate, _: Snapshot) -> Iterator[Found]:
    """Nothing fills in the args of a schedule."""
    for path, schedule in zip(_places(template, "schedule"), job.schedules, strict=True):
        for name, value in schedule.args.items():
            if is_template(value):
                message = "the args of a schedule are not templates: this is taken as it is"
                yield Found(Complaint("not_a_template", (*path, "args", name), message), "warning")


def daytimes_exist_once(job: Job, template: JobTemplate, snapshot: Snapshot) -> Iterator[Found]:
    """Warn of a daytime that the clocks will skip or repeat on a day of its calendar."""
    first = zone.to_local(snapshot.loaded.jobs.revision.time, zone.UTC).date()
    for path, schedule in zip(_places(template, "schedule"), job.schedules, strict=True):
        if not isinstance(schedule, Daily) or not schedule.enabled:
            continue
        warned: set[tuple[int, str]] = set()
        for day in zone.change_days(schedule.tz, first, DST_DAYS):
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
                yield Found(Complaint(f"dst_{how}", (*path, "daytime", number), message), "warning")


def templates_have_their_names(job: Job, template: JobTemplate, _: Snapshot) -> Iterator[Found]:
    """Every template can be read, and every name in it will be there."""
    known = PROVIDED.union(job.params)
    places: list[Path] = [("program",), *_places(template, *CONDITION_KEYS)]
    for path, text in _texts(list(zip(places, (template.program, *template.conditions), strict=True))):
        try:
            names = free_names(text)
        except TemplateError as error:
            line = f" (line {error.line} of the text)" if error.line and "\n" in text.strip() else ""
            yield Found(Complaint("template", path, f"not a template: {error.message}{line}"))
            continue
        for free in names:
            if not free.guarded and free.name not in known:
                offered = f"The job's params are: {', '.join(job.params)}." if job.params else "The job has no params."
                help_ = did_you_mean(free.name, known) or offered
                yield Found(Complaint("unknown_name", path, f"{free.name!r} is not defined", help_), within=free.name)


def dependencies_are_there(_: Job, template: JobTemplate, snapshot: Snapshot) -> Iterator[Found]:
    """A dependency names a job that exists."""
    for path, written in _dependencies(template):
        if written.job_id not in snapshot.known:
            help_ = did_you_mean(written.job_id, snapshot.known, 3)
            yield Found(Complaint("unknown_job", (*path, "job_id"), f"no job {written.job_id!r}", help_))


def other_repositories_are_warned_of(_: Job, template: JobTemplate, __: Snapshot) -> Iterator[Found]:
    """Whether a job of another repository exists only the server knows; so it is no reason to refuse a commit."""
    for path, written in _conditions(template):
        if written.job_id.startswith(ELSEWHERE):
            message = f"{written.job_id} is a job of another repository: only the server can tell whether it exists"
            yield Found(Complaint("other_repo", (*path, "job_id"), message), "warning")


def dependencies_have_their_args(job: Job, template: JobTemplate, snapshot: Snapshot) -> Iterator[Found]:
    """The args of a dependency, and those taken from the run, are exactly the params of the job waited for."""
    for path, written in _dependencies(template):
        target = snapshot.jobs.get(full_id(template.repo, written.job_id))
        if target is None:
            continue
        for name in sorted(written.args.keys() - set(target.params)):
            yield Found(_unknown_arg((*path, "args", name), name, target.job_id, target.params))
        if missing := set(target.params) - written.args.keys() - set(job.params):
            names = ", ".join(sorted(missing))
            help_ = "Give them in the dependency's args: only params that both jobs have are taken by name."
            yield Found(Complaint("missing_arg", path, f"{target.job_id} needs the args {names}", help_))


def nothing_waits_for_itself(job: Job, template: JobTemplate, _: Snapshot) -> Iterator[Found]:
    """A run that waits for a run of its own instance never starts."""
    for path, written in _dependencies(template):
        own = full_id(template.repo, written.job_id) == job.job_id
        if own and written.enabled is True and all(_same(name, value) for name, value in written.args.items()):
            message = "the job depends on itself with the same args, so that it never starts"
            help_ = "Give other args, like the day before, or remove the condition."
            yield Found(Complaint("self_dependency", path, message, help_))


RULES: Final[tuple[Rule, ...]] = (
    schedules_give_the_params,
    schedule_args_are_plain,
    daytimes_exist_once,
    templates_have_their_names,
    dependencies_are_there,
    other_repositories_are_warned_of,
    dependencies_have_their_args,
    nothing_waits_for_itself,
)
CONDITION_KEYS: Final = ("condition", "conditions")


def _places(template: JobTemplate, *keys: str) -> list[Path]:
    """Return the paths of the items of the first of the keys that has some."""
    for key in keys:
        written = template.written.get(key)
        if isinstance(written, list) and written:
            return [(key, number) for number in range(len(written))]
        if isinstance(written, dict):
            return [(key,)]
    return []


def _conditions(template: JobTemplate) -> Iterator[tuple[Path, models.Dependency]]:
    for path, written in zip(_places(template, *CONDITION_KEYS), conditions_of(template.file), strict=True):
        if written.enabled is not False:
            yield path, written


def _dependencies(template: JobTemplate) -> Iterator[tuple[Path, models.Dependency]]:
    """Yield the dependencies on jobs of the same repository that are known before the run, with their paths."""
    for path, written in _conditions(template):
        if not is_template(written.job_id) and not written.job_id.startswith(ELSEWHERE):
            yield path, written


def _texts(parts: list[tuple[Path, Mapping[str, object]]]) -> Iterator[tuple[Path, str]]:
    queue: list[tuple[Path, Any]] = list(reversed(parts))
    while queue:
        path, value = queue.pop()
        if isinstance(value, str):
            if is_template(value):
                yield path, value
        elif isinstance(value, dict):
            queue.extend(((*path, key), item) for key, item in reversed(value.items()))
        elif isinstance(value, list):
            queue.extend(((*path, number), item) for number, item in reversed(list(enumerate(value))))


def _unknown_arg(path: Path, name: str, job_id: str, params: tuple[str, ...]) -> Complaint:
    help_ = did_you_mean(name, params) or f"Its params are: {', '.join(params) or 'none'}."
    return Complaint("unknown_arg", path, f"the job {job_id} has no param {name!r}", help_, key=True)


def _same(name: str, value: str) -> bool:
    return re.fullmatch(rf"\s*\{{\{{-?\s*{re.escape(name)}\s*-?\}}\}}\s*", value) is not None
