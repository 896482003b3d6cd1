"""How the nouns look on the wire: the one place where domain objects become wire models."""

import enum
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import asdict
from typing import Any, cast

from whenever import Instant

from apsis.domain import transition
from apsis.domain.condition import Ends, Holds, Waits
from apsis.domain.finding import Finding
from apsis.domain.job import Job
from apsis.domain.missed import Missed
from apsis.domain.run import LogEntry, Run
from apsis.domain.snapshot import RevisionVerdict
from apsis.engine.waiting import Why
from apsis.lib.instant import format_instant
from apsis.repo.ports import RepoState
from apsis.spec.bound import action_view, condition_view, program_view
from apsis.wire import job as wire_job
from apsis.wire import repo as wire_repo
from apsis.wire import run as wire_run


def run(run: Run) -> wire_run.Run:
    """Show a run in summary."""
    return wire_run.Run(**_run_fields(run))


def run_detail(
    run: Run,
    *,
    conditions: Iterable[Why],
    meta: Mapping[str, Any],
    output_length: int,
    as_of: str,
) -> wire_run.RunDetail:
    """Show a run with everything but its log and output."""
    return wire_run.RunDetail(
        **_run_fields(run),
        program=program_view(run.bound.program) if run.bound else None,
        conditions=[_condition(why) for why in conditions],
        actions=[action_view(action) for action in run.bound.actions] if run.bound else [],
        limits=_said(run.bound.limits) if run.bound else None,
        retry=_said(run.bound.retry) if run.bound and run.bound.retry else None,
        pools=[_said(pool) for pool in run.bound.pools] if run.bound else [],
        deadlines=_said(run.bound.deadlines) if run.bound else None,
        meta=plain(meta),
        output_length=output_length,
        operations=cast("list[wire_run.OperationName]", [*transition.operations(run)]),
        as_of=as_of,
    )


def log_entry(entry: LogEntry) -> wire_run.LogEntry:
    """Show an entry of a run's log."""
    return wire_run.LogEntry(
        seq=entry.seq,
        time=format_instant(entry.time),
        state=entry.state.value,
        message=entry.message,
        who=entry.who,
    )


def job(job: Job, coming: Sequence[Run]) -> wire_job.Job:
    """Show a job in summary, with the first of its coming runs."""
    return wire_job.Job(**_job_fields(job, coming))


def blocking(run: Run) -> wire_run.Blocking:
    """Show a run that is in the way of others."""
    return wire_run.Blocking(run_id=run.run_id, job_id=run.job_id, args=dict(run.args), state=run.state.value)


def job_detail(job: Job, coming: Sequence[Run], missed: Iterable[Missed], as_of: str) -> wire_job.JobDetail:
    """Show a job with its definition, what it missed, and coming runs."""
    return wire_job.JobDetail(
        **_job_fields(job, coming),
        program=plain(job.template.program),
        conditions=[plain(condition) for condition in job.template.conditions],
        actions=[plain(action) for action in job.template.actions],
        policies=plain(job.template.policies),
        missed=[_missed(span) for span in missed],
        metadata=plain(job.template.metadata),
        source=job.text,
        next_runs=[_next_run(run) for run in coming],
        as_of=as_of,
    )


def repo(state: RepoState, jobs: int) -> wire_repo.Repo:
    """Show how a repository is followed; `jobs` is how many it has applied."""
    return wire_repo.Repo(
        repo=state.repo,
        source=state.source,
        mode=state.mode,
        branch=state.branch,
        status=state.status,
        applied=revision(state.applied) if state.applied else None,
        newest=revision(state.newest) if state.newest else None,
        error=state.error,
        fetched_at=format_instant(state.fetched_at) if state.fetched_at else None,
        jobs=jobs,
    )


def revision(verdict: RevisionVerdict) -> wire_repo.Revision:
    """Show a revision and what became of it."""
    return wire_repo.Revision(
        revision=verdict.revision.id,
        author=verdict.revision.author,
        time=format_instant(verdict.revision.time),
        message=verdict.revision.message,
        verdict=verdict.verdict,
        decided_at=format_instant(verdict.at),
        added=len(verdict.difference.added),
        changed=len(verdict.difference.changed),
        removed=len(verdict.difference.removed),
        findings=[_finding(finding) for finding in verdict.findings],
    )


def plain(value: object) -> Any:
    """Return what JSON can say of a value: sets become sorted lists, instants text."""
    match value:
        case enum.Enum():
            return value.value
        case None | bool() | int() | float() | str():
            return value
        case Instant():
            return format_instant(value)
        case Mapping():
            return {str(key): plain(item) for key, item in value.items()}
        case Set():
            return sorted((plain(item) for item in value), key=str)
        case Iterable():
            return [plain(item) for item in value]
        case _:
            return str(value)


def _run_fields(run: Run) -> dict[str, Any]:
    return {
        "run_id": run.run_id,
        "job_id": run.job_id,
        "args": dict(run.args),
        "state": run.state.value,
        "schedule_time": format_instant(run.schedule_time),
        "due": _due(run),
        "timestamps": {state.value: format_instant(at) for state, at in run.timestamps.items()},
        "attempt": run.attempt,
        "attempts": run.bound.retry.count + 1 if run.attempt > 1 and run.bound and run.bound.retry else None,
        "breached": list(run.breached),
        "rerun_of": run.rerun_of,
        "label": run.label,
        "labels": list(run.labels),
        "expected": run.expected,
        "adhoc": run.adhoc,
        "repo": run.repo,
        "revision": run.revision,
        "path": run.path,
        "blob": run.blob,
        "message": run.message,
    }


def _condition(why: Why) -> wire_run.ConditionStatus:
    return wire_run.ConditionStatus(
        condition=condition_view(why.condition) if why.condition is not None else None,
        text=why.text,
        holds=None if why.verdict is None else isinstance(why.verdict, Holds),
        reason=why.verdict.reason if isinstance(why.verdict, Waits | Ends) else None,
        value=why.value,
        blocking=[blocking(run) for run in why.blocking],
    )


def _said(policy: Any) -> dict[str, Any]:
    """Return a policy's values, without those that it does not have."""
    return {name: plain(value) for name, value in asdict(policy).items() if value is not None}


def _missed(span: Missed) -> wire_job.Missed:
    return wire_job.Missed(
        schedule=span.schedule,
        count=span.count,
        first=format_instant(span.first),
        last=format_instant(span.last),
        reason=span.reason,
        at=format_instant(span.at),
    )


def _job_fields(job: Job, coming: Sequence[Run]) -> dict[str, Any]:
    return {
        "job_id": job.job_id,
        "repo": job.source.repo,
        "revision": job.source.revision,
        "path": job.source.path,
        "blob": job.source.blob,
        "params": list(job.params),
        "labels": list(job.labels),
        "description": job.description,
        "program_type": str(job.template.program.get("type", "")),
        "schedules": [
            wire_job.ScheduleText(text=schedule.describe(), definition=plain(written), enabled=schedule.enabled)
            for schedule, written in zip(job.schedules, job.template.schedules, strict=True)
        ],
        "next_run": _next_run(coming[0]) if coming else None,
    }


def _next_run(run: Run) -> wire_job.NextRun:
    return wire_job.NextRun(
        run_id=run.run_id,
        schedule_time=format_instant(run.schedule_time),
        due=_due(run),
        args=dict(run.args),
        made=bool(run.timestamps),
    )


def _due(run: Run) -> str | None:
    """Return when the run is due, if not at its schedule time."""
    return None if run.due_at == run.schedule_time else format_instant(run.due_at)


def _finding(finding: Finding) -> wire_repo.Finding:
    return wire_repo.Finding(
        code=finding.code,
        severity=finding.severity,
        path=finding.path,
        line=finding.line,
        column=finding.column,
        message=finding.message,
        help=finding.help,
        source=finding.source,
    )
