"""Bound programs: what exactly a run does, with nothing left to fill in. Also how they stand in the store."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from apsis.domain.secret import Secret

Outcome = Literal["success", "failure", "error"]


@dataclass(frozen=True, slots=True)
class Timeout:
    """End a program that runs longer than `duration_s` seconds, first by `signal`."""

    duration_s: float
    signal: str = "SIGTERM"


@dataclass(frozen=True, slots=True)
class Stop:
    """How a program is stopped: `signal`, then SIGKILL after `grace_period_s` seconds."""

    signal: str = "SIGTERM"
    grace_period_s: float = 60.0


@dataclass(frozen=True, slots=True)
class NoOp:
    """Do nothing for `duration_s` seconds and end in `outcome`."""

    duration_s: float = 0.0
    outcome: Outcome = "success"
    type: Literal["no-op"] = "no-op"

    @property
    def timeout(self) -> Timeout | None:
        """No-ops have no timeout."""
        return None

    @property
    def stop(self) -> Stop:
        """A no-op stops at once."""
        return Stop(grace_period_s=0.0)


@dataclass(frozen=True, slots=True)
class Env:
    """The environment of a program: the agent's clean base, `inherit` of the agent's own, without `unset`, with `set`.

    `inherit` is all (true), nothing but the base (false), or the named variables.
    """

    set: Mapping[str, str | Secret] = field(default_factory=dict)
    unset: tuple[str, ...] = ()
    inherit: bool | tuple[str, ...] = False


@dataclass(frozen=True, slots=True)
class Process:
    """Start `argv` on an agent of the group."""

    argv: tuple[str, ...]
    group_id: str = "default"
    timeout: Timeout | None = None
    stop: Stop = field(default_factory=Stop)
    env: Env = field(default_factory=Env)
    type: Literal["process"] = "process"


@dataclass(frozen=True, slots=True)
class Shell:
    """Run `command` by bash on an agent of the group."""

    command: str
    group_id: str = "default"
    timeout: Timeout | None = None
    stop: Stop = field(default_factory=Stop)
    env: Env = field(default_factory=Env)
    type: Literal["shell"] = "shell"


class _Internal:
    """What programs that the server does itself have in common."""

    __slots__ = ()

    @property
    def timeout(self) -> Timeout | None:
        """They end by themselves."""
        return None

    @property
    def stop(self) -> Stop:
        """They stop after the step that they are at."""
        return Stop()


@dataclass(frozen=True, slots=True)
class Archive(_Internal):
    """Move finished runs that are older than `age_s` to another database: at most `count`, `chunk_size` at a time.

    `path` is below the state directory; None: `archive.db` in it. `chunk_sleep_s` is the pause after each chunk.
    """

    age_s: float
    path: str | None = None
    count: int | None = None
    chunk_size: int = 100
    chunk_sleep_s: float = 0.05
    type: Literal["archive"] = "archive"


@dataclass(frozen=True, slots=True)
class Vacuum(_Internal):
    """Give the space of deleted rows back to the disk."""

    type: Literal["vacuum"] = "vacuum"


@dataclass(frozen=True, slots=True)
class Stats(_Internal):
    """Write the server's statistics: as the run's output, and to `path` below the state directory if there is one."""

    path: str | None = None
    type: Literal["stats"] = "stats"


Program = NoOp | Process | Shell | Archive | Vacuum | Stats
