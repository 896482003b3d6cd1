"""Programs as written: what a run does."""

from typing import Annotated, Final, Literal

from pydantic import Discriminator, Field, StrictBool, Tag

from apsis.spec.fields import ArgText, DurationLater, SignalLater, Text
from apsis.spec.models.base import TextOrSecret, Written
from apsis.spec.numbers import CENTURY_S, Span, Whole
from apsis.spec.outside import ArchivePath, StatsPath, Variable
from apsis.spec.shorthand import OneOrList


class Timeout(Written):
    """End a program that runs too long; the run is then a failure."""

    duration: DurationLater
    signal: SignalLater = "SIGTERM"


class Stop(Written):
    """How a program is stopped: by a signal, and by SIGKILL after the grace period."""

    signal: SignalLater = "SIGTERM"
    grace_period: DurationLater = 60.0


class NoOp(Written):
    """Do nothing, for a while."""

    type: Literal["no-op"]
    duration: DurationLater = 0.0
    """How long."""
    success: StrictBool | None = True
    """true ends as success, false as failure, null as error."""


class Env(Written):
    """The environment of a program, beside a clean base and the variables of Apsis."""

    set: dict[Variable, TextOrSecret] = {}
    """Variables and their values. Each value may be a template, or {secret: NAME}."""
    unset: Annotated[tuple[Variable, ...], OneOrList()] = ()
    """Variables that it does not have, though they are inherited."""
    inherit: Annotated[
        Annotated[StrictBool, Tag("flag")] | Annotated[tuple[Variable, ...], OneOrList(), Tag("names")],
        Discriminator(lambda value: "flag" if isinstance(value, bool) else "names"),
    ] = False
    """Of the agent's own variables: true for all, false for none, or a list of names."""


class _OnAgent(Written):
    group_id: Text = "default"
    """Which agents may run it. May be a template."""
    timeout: Timeout | None = None
    stop: Stop = Stop()
    env: Env = Env()
    """The environment."""


class Process(_OnAgent):
    """Start a program with arguments, without a shell."""

    type: Literal["process", "procstar"]
    argv: Annotated[tuple[ArgText, ...], Field(min_length=1)]
    """The program and its arguments; each may be a template."""


class Shell(_OnAgent):
    """Run a command by bash."""

    type: Literal["shell", "procstar-shell"]
    command: Text
    """The command, of one line or more. May be a template."""


MAX_RUNS: Final = 10_000_000
MAX_CHUNK: Final = 1_000
"""Runs that are moved at once; more would keep the server from writing for too long."""


class Archive(Written):
    """Move finished runs to another database."""

    type: Literal["archive", "apsis.program.internal.archive.ArchiveProgram"]
    age: Annotated[float | str, Span(0, CENTURY_S, later=True)]
    """How old a run must be."""
    path: ArchivePath | None = None
    """The database, below the server's state directory; archive.db if it is left out. May be a template."""
    count: Annotated[int | str, Whole(1, MAX_RUNS, later=True)] | None = None
    """How many runs are moved at most."""
    chunk_size: Annotated[int | str, Whole(1, MAX_CHUNK, later=True)] = 100
    """How many are moved at a time."""
    chunk_sleep: Annotated[float | str, Span(0, 60, later=True)] = 0.05
    """The pause after each time."""


class Vacuum(Written):
    """Give the space of deleted rows in the database back to the disk."""

    type: Literal["vacuum", "apsis.program.internal.vacuum.VacuumProgram"]


class Stats(Written):
    """Write the server's statistics as the run's output."""

    type: Literal["stats", "apsis.program.internal.stats.StatsProgram"]
    path: StatsPath | None = None
    """A file below the server's state directory that gets them too. May be a template."""


Program = Annotated[NoOp | Process | Shell | Archive | Vacuum | Stats, Field(discriminator="type")]
