"""Rules about the jobs that a job names: what it waits for, counts, and schedules."""

import re
from collections.abc import Iterator, Mapping
from sys import intern
from typing import Any

from apsis.domain.job import Job
from apsis.domain.state import State
from apsis.lib.shared import shared
from apsis.lib.template import is_template
from apsis.repo.rules.found import ACTION_KEYS, CONDITION_KEYS, Snapshot, places, unknown_arg
from apsis.spec import models
from apsis.spec.bind import JobTemplate, conditions_of
from apsis.spec.bind_actions import actions_of, as_action, bind_if
from apsis.spec.complain import Complaint
from apsis.spec.fields import did_you_mean
from apsis.spec.instances import ELSEWHERE, full_id
from apsis.spec.judged import Found, Judged, Naming
from apsis.spec.yaml import Path


def namings(template: JobTemplate) -> Iterator[Naming]:
    """Yield all places of a job file that name a job."""
    for path, condition in conditions(template):
        if isinstance(condition, models.Dependency):
            yield _naming(path, condition.job_id, condition.args, "dependency")
        elif isinstance(condition, models.MaxRunning) and condition.job_id is not None:
            yield _naming(path, condition.job_id, condition.args, "condition")
    for path, action in schedule_actions(template):
        yield action_naming(path, action, "successor" if path[0] == "successors" else "action")


def action_naming(path: Path, action: models.ScheduleJob, what: str = "action") -> Naming:
    """Return what an action names."""
    on_success = bind_if(action.if_).on_state(State.SUCCESS, 1, again=False)
    return _naming(path, action.job_id, action.args, what, on_success)


def _naming(path: Path, job_id: str, args: Mapping[str, str], what: str, on_success: bool = False) -> Naming:
    return Naming(shared(path), intern(job_id), shared(tuple(args)), what, on_success)


def conditions(template: JobTemplate) -> Iterator[tuple[Path, models.Condition]]:
    """Yield the conditions that are not switched off, with their paths."""
    found = conditions_of(template.file)
    for path, written in zip(places(template.written, *CONDITION_KEYS), found, strict=True) if found else ():
        if written.enabled is not False:
            yield path, written


def schedule_actions(template: JobTemplate) -> Iterator[tuple[Path, models.ScheduleJob]]:
    """Yield the job's own actions that schedule jobs, successors among them, with their paths."""
    actions, successors = actions_of(template.file), template.file.successors
    for path, action in zip(places(template.written, *ACTION_KEYS), actions, strict=True) if actions else ():
        if isinstance(action, models.ScheduleJob):
            yield path, action
    for path, successor in zip(places(template.written, "successors"), successors, strict=True) if successors else ():
        yield path, as_action(successor)


def jobs_are_there(_: Job, judged: Judged, snapshot: Snapshot) -> Iterator[Found]:
    """What is named is a job that exists."""
    for naming in judged.namings:
        yield from is_there(naming, snapshot)


def is_there(naming: Naming, snapshot: Snapshot) -> Iterator[Found]:
    """Yield that the job named is not there, or that only the server knows."""
    path = (*naming.path, "job_id")
    if naming.here and naming.job_id not in snapshot.known:
        help_ = did_you_mean(naming.job_id, snapshot.known, 3)
        yield Found(Complaint("unknown_job", path, f"no job {naming.job_id!r}", help_))
    elif naming.job_id.startswith(ELSEWHERE):
        message = f"{naming.job_id} is a job of another repository: only the server can tell whether it exists"
        yield Found(Complaint("other_repo", path, message), "warning")


def jobs_get_their_args(job: Job, judged: Judged, snapshot: Snapshot) -> Iterator[Found]:
    """The args that are given, and those taken from the run, are exactly the params of the job that is named."""
    for naming in judged.namings:
        target = target_of(naming, job.source.repo, snapshot)
        if target is None:
            continue
        for name in sorted(set(naming.given) - set(target.params)):
            yield Found(unknown_arg((*naming.path, "args", name), name, target.job_id, target.params))
        if missing := set(target.params) - set(naming.given) - set(job.params):
            names = ", ".join(sorted(missing))
            help_ = f"Give them in the {naming.what}'s args: only params that both jobs have are taken by name."
            yield Found(Complaint("missing_arg", naming.path, f"{target.job_id} needs the args {names}", help_))


def target_of(naming: Naming, repo: str, snapshot: Snapshot) -> Job | None:
    """Return the job that is named, if it is known and has no errors of its own."""
    return snapshot.jobs.get(full_id(repo, naming.job_id)) if naming.here else None


def limits_of_the_job_get_its_args(job: Job, template: JobTemplate) -> Iterator[Found]:
    """A max_running of the job's own runs has no args but its params."""
    for path, condition in conditions(template):
        if isinstance(condition, models.MaxRunning) and condition.job_id is None:
            for name in sorted(condition.args.keys() - set(job.params)):
                yield Found(unknown_arg((*path, "args", name), name, job.job_id, job.params))


def nothing_waits_for_itself(job: Job, template: JobTemplate) -> Iterator[Found]:
    """A run that waits for a run of its own instance never starts."""
    for path, written in conditions(template):
        if not isinstance(written, models.Dependency) or is_template(written.job_id):
            continue
        own = not written.job_id.startswith(ELSEWHERE) and full_id(template.repo, written.job_id) == job.job_id
        if own and written.enabled is True and same_args(written.args):
            message = "the job depends on itself with the same args, so that it never starts"
            help_ = "Give other args, like the day before, or remove the condition."
            yield Found(Complaint("self_dependency", path, message, help_))


def same_args(args: Mapping[str, Any]) -> bool:
    """Return whether args are those of the run, however they are written."""
    return all(
        re.fullmatch(rf"\s*\{{\{{-?\s*{re.escape(name)}\s*-?\}}\}}\s*", value) is not None
        for name, value in args.items()
    )
