"""Rules about pools, retries and what actions wait for."""

from collections.abc import Iterator, Sequence

from apsis.domain.job import Job
from apsis.domain.policy import Pool
from apsis.repo.rules.found import ACTION_KEYS, Snapshot, places
from apsis.spec import models
from apsis.spec.bind import JobTemplate
from apsis.spec.bind_actions import ALL_DEADLINES, actions_of
from apsis.spec.bind_policies import bind_pools
from apsis.spec.complain import Complaint
from apsis.spec.fields import did_you_mean
from apsis.spec.judged import Found, Judged
from apsis.spec.yaml import Path


def pools(template: JobTemplate) -> tuple[tuple[Path, Pool], ...]:
    """Return the pools that a job file names, with their paths."""
    written = template.file.pool
    if not written:
        return ()
    return tuple(zip(places(template.written, "pool"), bind_pools(written, ""), strict=True))


def pools_are_there(_: Job, judged: Judged, snapshot: Snapshot) -> Iterator[Found]:
    """A pool is one that apsis.yaml names, and large enough for the run."""
    sizes = snapshot.loaded.settings.pools
    for path, pool in judged.pools:
        if pool.name not in sizes:
            help_ = did_you_mean(pool.name, sizes) or f"Name it in apsis.yaml: pools: {{{pool.name}: SLOTS}}."
            yield Found(Complaint("unknown_pool", (*path, "name"), f"no pool {pool.name!r}", help_))
        elif pool.slots > sizes[pool.name]:
            message = f"the run needs {pool.slots} slots, and the pool {pool.name} has {sizes[pool.name]}"
            yield Found(Complaint("pool_too_small", (*path, "slots"), message, "It would never start."))


def retries_are_of_use(_: Job, template: JobTemplate) -> Iterator[Found]:
    """Warn of parts of `retry` that change nothing."""
    retry = template.file.retry
    if retry is None:
        return
    if retry.exit_codes and "failure" not in retry.on:
        message = "an exit code is a failure, and only errors are tried again"
        yield Found(Complaint("no_effect", ("retry", "exit_codes"), message, "Add failure to on."), "warning")
    if retry.max_delay is not None and retry.max_delay < retry.delay:
        message = "max_delay is less than delay: every pause is max_delay"
        yield Found(Complaint("no_effect", ("retry", "max_delay"), message), "warning")


def actions_can_happen(_: Job, template: JobTemplate) -> Iterator[Found]:
    """Warn of an action that waits for a deadline or an attempt that the job does not have."""
    if not actions_of(template.file):
        return
    deadlines = template.file.deadlines
    has = [kind for kind in ALL_DEADLINES if getattr(deadlines, kind) is not None]
    attempts = 1 + (template.file.retry.count if template.file.retry else 0)
    for path, action in zip(places(template.written, *ACTION_KEYS), actions_of(template.file), strict=True):
        wanted = _deadlines(action.if_)
        if wanted and not set(wanted) & set(has):
            message = f"the job has no deadline {' or '.join(wanted)}"
            yield Found(Complaint("no_effect", (*path, "if", "deadlines"), message, _offered(has)), "warning")
        if action.if_.attempt and min(action.if_.attempt) > attempts:
            message = f"there is no attempt {min(action.if_.attempt)}: a run has at most {attempts}"
            help_ = "Attempts are counted from 1; retry says how many there are."
            yield Found(Complaint("no_effect", (*path, "if", "attempt"), message, help_), "warning")


def _deadlines(if_: models.If) -> tuple[str, ...]:
    if isinstance(if_.deadlines, bool):
        return ALL_DEADLINES if if_.deadlines else ()
    return if_.deadlines


def _offered(has: Sequence[str]) -> str:
    return f"It has {', '.join(has)}." if has else "Give it under deadlines."
