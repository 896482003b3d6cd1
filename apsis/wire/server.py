"""The server as a whole: what is held and pending, pools, statistics."""

from typing import Any

from apsis.wire.message import message, said
from apsis.wire.run import Blocking


@message
class Pending:
    """What a job owes: runs that are due and not started."""

    job_id: str
    runs: int
    more: bool = said("Not all were counted.")
    oldest: str


@message
class CatchUp:
    """Whether the server is held, and what is pending, the most first."""

    held: str | None = said("Why nothing that fell due starts until somebody releases it; null: it starts.")
    jobs: int = said("How many jobs owe runs.")
    runs: int = said("How many runs they owe, as far as counted.")
    pending: list[Pending] = said("At most 1,000 jobs.")
    as_of: str


@message
class Pool:
    """A pool, and how full it is."""

    name: str
    size: int
    taken: int
    waiting: int = said("Runs that wait for room here.")
    holders: list[Blocking] = said("Runs that are in it, longest first, at most 20.")


@message
class PoolList:
    """All pools by name."""

    pools: list[Pool]
    as_of: str


@message
class Stats:
    """The server in numbers."""

    held: str | None
    engine: dict[str, int] = said("What is in memory: jobs, unfinished_runs, waiting_runs, timers.")
    store: dict[str, Any] = said("What is on disk: runs by state, bytes, deliveries, …")
