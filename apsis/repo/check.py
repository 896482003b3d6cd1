"""The check: what is wrong with a revision as a whole, beyond what each file says by itself."""

from typing import Final

from apsis.domain.finding import Finding
from apsis.domain.job import Job
from apsis.repo.rules import cycles, jobs, names, policies, schedules, shared
from apsis.repo.rules.found import Rule, Snapshot, SnapshotRule
from apsis.spec.bind import JobTemplate
from apsis.spec.judged import Found, Judged
from apsis.spec.load import Loaded

RULES: Final[tuple[Rule, ...]] = (
    schedules.schedules_give_the_params,
    schedules.schedule_args_are_plain,
    names.templates_have_their_names,
    jobs.limits_of_the_job_get_its_args,
    jobs.nothing_waits_for_itself,
    policies.retries_are_of_use,
    policies.actions_can_happen,
)

SNAPSHOT_RULES: Final[tuple[SnapshotRule, ...]] = (
    schedules.daytimes_exist_once,
    jobs.jobs_are_there,
    jobs.jobs_get_their_args,
    policies.pools_are_there,
)

NOTHING: Final = Judged()


def judge(job: Job) -> Judged:
    """Return all that a job's file says by itself; what a push leaves as it was is not looked at again."""
    template = job.template
    assert isinstance(template, JobTemplate)  # noqa: S101 - the loader made it
    found = tuple(item for rule in RULES for item in rule(job, template))
    judged = Judged(found, tuple(jobs.namings(template)), policies.pools(template))
    return judged if judged != NOTHING else NOTHING


def check(loaded: Loaded) -> tuple[Finding, ...]:
    """Return all findings, the loader's included, by file and line."""
    snapshot = Snapshot(loaded)
    judged = {job_id: loaded.judged(job.source.path, judge) for job_id, job in snapshot.jobs.items()}
    found: dict[str, list[Found]] = {}
    for job_id, job in snapshot.jobs.items():
        of_file = judged[job_id]
        items = [*of_file.found, *(item for rule in SNAPSHOT_RULES for item in rule(job, of_file, snapshot))]
        if items:
            found[job.source.path] = items
    for path, item in (
        *shared.shared_actions_fit_every_job(snapshot),
        *cycles.actions_come_to_an_end(snapshot, judged),
    ):
        found.setdefault(path, []).append(item)
    findings = list(loaded.findings)
    for path, items in found.items():
        place = loaded.place(path)
        findings.extend(place.finding(item.complaint, item.severity, item.within) for item in items)
    return tuple(sorted(findings, key=lambda f: (f.path, f.line or 0, f.column or 0, f.code)))
