"""Binding policies: they have no templates, so that they are the same for each run of a job."""

from apsis.domain import policy
from apsis.spec import models
from apsis.spec.instances import full_pool


def bind_limits(written: models.Limits) -> policy.Limits:
    """Return how long a run may wait and run."""
    return policy.Limits(written.waiting, written.since_schedule, written.running)


def bind_retry(written: models.Retry | None) -> policy.Retry | None:
    """Return how often a run is tried."""
    if written is None:
        return None
    return policy.Retry(
        count=written.count,
        on=tuple(dict.fromkeys(written.on)),
        exit_codes=tuple(dict.fromkeys(written.exit_codes)),
        delay_s=written.delay,
        factor=written.factor,
        max_delay_s=written.max_delay,
        jitter_s=written.jitter,
    )


def bind_pools(written: tuple[models.Pool, ...], repo: str) -> tuple[policy.Pool, ...]:
    """Return what a run takes of the repository's pools."""
    return tuple(policy.Pool(full_pool(repo, pool.name), pool.slots, pool.policy) for pool in written)


def bind_deadlines(written: models.Deadlines) -> policy.Deadlines:
    """Return when a run is late."""
    longer = written.longer_than
    return policy.Deadlines(
        start_by_s=written.start_by,
        finish_by_s=written.finish_by,
        longer_than_s=longer.seconds if longer is not None else None,
        longer_than_factor=longer.factor if longer is not None else None,
    )


def bind_catch_up(written: models.Interval | models.Daily) -> policy.CatchUp:
    """Return what becomes of a schedule's times that passed while nobody was there."""
    if written.catch_up == policy.ALWAYS.mode and written.max_age is None:
        return policy.ALWAYS
    return policy.CatchUp(written.catch_up, written.max_age)
