"""How the engine begins: from when on, held or not, and what it owes from the time when nobody was there."""

import logging
from typing import Final

from apsis.domain.errors import BadRequest
from apsis.engine.engine import Engine
from apsis.engine.holding import Pending
from apsis.lib.instant import format_instant
from apsis.repo.followers import Followers
from apsis.service.config import Config
from apsis.store.store import SqliteStore

log = logging.getLogger(__name__)

WORST: Final = 10
"""Jobs that are named when the server starts; `apsis catch-up` has them all."""

ASKED: Final = "asked for by --hold or the configuration"


async def restore(engine: Engine, store: SqliteStore, followers: Followers, config: Config) -> None:
    """Let the engine take over, held if it is to be, and say what fell due meanwhile, before any of that starts.

    Raises BadRequest if the database is not new and --since was given.
    """
    since = config.since
    if since is not None and not await store.is_new():
        if config.since_asked:
            raise BadRequest(
                f"--since is for a new database; {config.state} has one that knows where to go on",
                help="Start without it: what was missed is caught up with.",
            )
        since = None
    reason = await store.held_reason() or (ASKED if config.hold else None)
    await engine.restore(await followers.restore(), hold=reason, since=since)
    pending = sorted((one for one in engine.pending() if one is not None), key=lambda one: (-one.runs, one.job_id))
    if pending:
        log.info("due_at_start: %s", _said(pending))
    if reason is not None:
        log.warning(
            "held: %s; what has fallen due and schedules want waits until it is released:"
            " look with `apsis catch-up`, let go with `apsis release` or in the dashboard",
            reason,
        )


def _said(pending: list[Pending]) -> str:
    runs = f"{sum(one.runs for one in pending):,}{'+' if any(one.more for one in pending) else ''}"
    worst = ", ".join(
        f"{one.job_id} {one.runs:,}{'+' if one.more else ''} (oldest {format_instant(one.oldest)})"
        for one in pending[:WORST]
    )
    others = f", and {len(pending) - WORST:,} other jobs" if len(pending) > WORST else ""
    return f"{runs} runs of {len(pending):,} jobs are due and not started: {worst}{others}"
