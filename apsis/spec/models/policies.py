"""Policies as written: how long a run may take, how often it is tried, what it shares, when it is late."""

from typing import Annotated, Final, Literal

from pydantic import Field

from apsis.spec.models.base import Written
from apsis.spec.numbers import CENTURY_S, DAY_S, MONTH_S, SHORTEST_S, Decimal, LongerThan, Span, Whole
from apsis.spec.outside import PoolName
from apsis.spec.shorthand import OneOrList, Short

MAX_RETRIES: Final = 100
MAX_SLOTS: Final = 10_000
MAX_POOL: Final = 100_000
MAX_POOLS: Final = 10
"""That one run takes of; each is asked whenever something ends."""


class Limits(Written):
    """How long a run may wait and run."""

    waiting: Annotated[float, Span(SHORTEST_S, CENTURY_S)] | None = None
    """A run that has waited so long for its conditions is an error."""
    since_schedule: Annotated[float, Span(SHORTEST_S, CENTURY_S)] | None = None
    """A run that has not started so long after its schedule time is an error."""
    running: Annotated[float, Span(SHORTEST_S, CENTURY_S)] | None = None
    """A program that runs so long is ended."""


class Retry(Written):
    """A run that fails is tried again."""

    count: Annotated[int, Whole(1, MAX_RETRIES)]
    """How often, at most, after the first attempt."""
    on: Annotated[tuple[Literal["failure", "error"], ...], Field(min_length=1), OneOrList()] = ("failure",)
    """After which ends."""
    exit_codes: Annotated[tuple[Annotated[int, Whole(1, 255)], ...], OneOrList()] = ()
    """Only after these exit codes of the program."""
    delay: Annotated[float, Span(0, MONTH_S)] = 0.0
    """The pause before the second attempt."""
    factor: Annotated[float, Decimal(1, 10)] = 1.0
    """Each later pause is so many times the one before."""
    max_delay: Annotated[float, Span(0, MONTH_S)] | None = None
    """The longest pause."""
    jitter: Annotated[float, Span(0, DAY_S)] = 0.0
    """How much longer than that a pause is, at most; a hash of the run's id."""


class Pool(Written):
    """The run takes slots of a pool that apsis.yaml names, from its start to its end."""

    name: PoolName
    """The pool's name in apsis.yaml."""
    slots: Annotated[int, Whole(1, MAX_SLOTS)] = 1
    """How many it takes."""
    policy: Literal["wait", "skip", "replace"] = "wait"
    """If there are too few: wait for them, skip the run, or stop the oldest run that has some."""


Pools = Annotated[
    tuple[Annotated[Pool, Short("name", {"type": "string"})], ...],
    Field(max_length=MAX_POOLS),
    OneOrList(null=True),
]


class Deadlines(Written):
    """When a run is late. It goes on; actions can tell somebody."""

    start_by: Annotated[float, Span(SHORTEST_S, CENTURY_S)] | None = None
    """Not started so long after its schedule time."""
    finish_by: Annotated[float, Span(SHORTEST_S, CENTURY_S)] | None = None
    """Not finished so long after its schedule time."""
    longer_than: LongerThan | None = None
    """Running for so long, or so many times (2x) as long as its successful runs usually do."""
