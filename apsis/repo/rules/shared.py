"""Rules about what apsis.yaml adds to every job: its actions must fit each of them."""

from collections.abc import Iterator, Sequence
from typing import Final

from apsis.domain.job import Job
from apsis.lib.template import TemplateError
from apsis.repo.rules.found import Snapshot, templates, unknown_arg
from apsis.repo.rules.jobs import action_naming, is_there, target_of
from apsis.repo.rules.names import is_of_message, named, unknown_names
from apsis.spec import models
from apsis.spec.complain import Complaint
from apsis.spec.judged import Found, Naming
from apsis.spec.settings import FILE
from apsis.spec.yaml import Path

NAMED: Final = 3
"""Jobs that a finding names."""


def shared_actions_fit_every_job(snapshot: Snapshot) -> Iterator[tuple[str, Found]]:
    """Yield what is wrong with the actions of apsis.yaml, for whichever jobs, with that file."""
    for found in _all(snapshot):
        yield FILE, found


def _all(snapshot: Snapshot) -> Iterator[Found]:
    shared = snapshot.loaded.settings.shared
    written = shared.written
    for number, (action, item) in enumerate(zip(shared.actions, written, strict=True)):
        path = shared.path(number)
        for place, text in templates([(path, item)]):
            yield from _names(place, text, snapshot)
        if isinstance(action, models.ScheduleJob):
            naming = action_naming(path, action)
            yield from is_there(naming, snapshot)
            yield from _args(naming, snapshot)


def _names(path: Path, text: str, snapshot: Snapshot) -> Iterator[Found]:
    try:
        needed = unknown_names(text, is_message=is_of_message(path))
    except TemplateError:
        yield from named(path, text, ())
        return
    for name in sorted(needed):
        if lacking := [job for job in snapshot.jobs.values() if name not in job.params]:
            message = f"{name!r} is not defined in {_jobs(lacking)}"
            help_ = f'Write {{{{ {name}|default("") }}}}, or give the action to the jobs that have it.'
            yield Found(Complaint("unknown_name", path, message, help_), within=name)


def _args(naming: Naming, snapshot: Snapshot) -> Iterator[Found]:
    target = target_of(naming, snapshot.loaded.jobs.repo, snapshot)
    if target is None:
        return
    for name in sorted(set(naming.given) - set(target.params)):
        yield Found(unknown_arg((*naming.path, "args", name), name, target.job_id, target.params))
    for name in sorted(set(target.params) - set(naming.given)):
        if lacking := [job for job in snapshot.jobs.values() if name not in job.params]:
            message = f"{target.job_id} needs the arg {name}, which is no param of {_jobs(lacking)}"
            yield Found(Complaint("missing_arg", naming.path, message, "Give it in the action's args."))


def _jobs(jobs: Sequence[Job]) -> str:
    names = ", ".join(job.job_id for job in jobs[:NAMED])
    more = len(jobs) - NAMED
    return f"{names} and {more} more jobs" if more > 0 else names
