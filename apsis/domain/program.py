"""Bound programs: what exactly a run does, with nothing left to fill in. Also how they stand in the store."""

from dataclasses import dataclass, field
from typing import Literal

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
class Process:
    """Start `argv` on an agent of the group."""

    argv: tuple[str, ...]
    group_id: str = "default"
    timeout: Timeout | None = None
    stop: Stop = field(default_factory=Stop)
    type: Literal["process"] = "process"


@dataclass(frozen=True, slots=True)
class Shell:
    """Run `command` by bash on an agent of the group."""

    command: str
    group_id: str = "default"
    timeout: Timeout | None = None
    stop: Stop = field(default_factory=Stop)
    type: Literal["shell"] = "shell"


Program = NoOp | Process | Shell
