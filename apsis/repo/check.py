"""The check: what is wrong with a revision as a whole, beyond what each file says by itself."""

from typing import Final

from apsis.domain.finding import Finding
from apsis.repo.rules import cycles, jobs, names, policies, schedules, shared
from apsis.repo.rules.found import Found, Rule, Snapshot
from apsis.spec.bind import JobTemplate
from apsis.spec.load import Loaded

RULES: Final[tuple[Rule, ...]] = (
    schedules.schedules_give_the_params,
    schedules.schedule_args_are_plain,
    schedules.daytimes_exist_once,
    names.templates_have_their_names,
    jobs.jobs_are_there,
    jobs.jobs_get_their_args,
    jobs.limits_of_the_job_get_its_args,
    jobs.nothing_waits_for_itself,
    policies.pools_are_there,
    policies.retries_are_of_use,
    policies.actions_can_happen,
)


def check(loaded: Loaded) -> tuple[Finding, ...]:
    """Return all findings, the loader's included, by file and line."""
    snapshot = Snapshot(loaded)
    found: dict[str, list[Found]] = {}
    for job in snapshot.jobs.values():
        if isinstance(job.template, JobTemplate):
            found[job.source.path] = [item for rule in RULES for item in rule(job, job.template, snapshot)]
    for path, item in (*shared.shared_actions_fit_every_job(snapshot), *cycles.actions_come_to_an_end(snapshot)):
        found.setdefault(path, []).append(item)
    findings = list(loaded.findings)
    for path, items in found.items():
        if not items:
            continue
        place = loaded.place(path)
        findings.extend(place.finding(item.complaint, item.severity, item.within) for item in items)
    return tuple(sorted(findings, key=lambda f: (f.path, f.line or 0, f.column or 0, f.code)))
