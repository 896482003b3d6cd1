"""What can happen to a run. Past tense; each says itself in words for the run's log."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from apsis.domain.action import DeadlineKind
from apsis.domain.job import Bound
from apsis.domain.run import Output
from apsis.domain.state import State

Meta = Mapping[str, Any]
"""What a program reports about itself, as JSON: exit_code, signal, pid, rusage, …"""


@dataclass(frozen=True, slots=True)
class Due:
    """The schedule time has come, and the run is bound."""

    bound: Bound

    @property
    def message(self) -> str:
        """Words for the log."""
        return "due"


@dataclass(frozen=True, slots=True)
class Ready:
    """Every condition holds."""

    message: str = "starting"


@dataclass(frozen=True, slots=True)
class Ended:
    """A condition's verdict ends the run before it starts."""

    state: State
    message: str


@dataclass(frozen=True, slots=True)
class Started:
    """The program runs; once more after a reattachment."""

    message: str = "started"
    meta: Meta | None = None


@dataclass(frozen=True, slots=True)
class Succeeded:
    """The program ended well."""

    message: str = "done"
    meta: Meta | None = None
    output: Output | None = None


@dataclass(frozen=True, slots=True)
class Failed:
    """The program ended badly."""

    message: str
    meta: Meta | None = None
    output: Output | None = None


@dataclass(frozen=True, slots=True)
class Broke:
    """Something other than the program's own verdict: it could not be bound or started, or was lost."""

    message: str
    meta: Meta | None = None
    output: Output | None = None


@dataclass(frozen=True, slots=True)
class TimedOut:
    """The program ran longer than it may."""

    message: str


@dataclass(frozen=True, slots=True)
class GraceElapsed:
    """The program did not end in the time it was given after being asked to."""

    message: str = "still running after the grace period: killing"


@dataclass(frozen=True, slots=True)
class Missed:
    """Its time passed while nobody was there, and its schedule does not make up for that."""

    message: str


@dataclass(frozen=True, slots=True)
class DeadlineMissed:
    """The run is late. It goes on; who wants to know is told."""

    kind: DeadlineKind
    message: str


@dataclass(frozen=True, slots=True)
class Noted:
    """Something about the run that changes nothing but its log."""

    message: str


@dataclass(frozen=True, slots=True)
class StartAsked:
    """A person wants the run to start now. `bound` is given for a run that was not due yet."""

    who: str
    bound: Bound | None = None
    reason: str | None = None

    @property
    def message(self) -> str:
        """Words for the log."""
        return _asked("start", self.reason)


@dataclass(frozen=True, slots=True)
class SkipAsked:
    """A person does not want the run."""

    who: str
    reason: str | None = None

    @property
    def message(self) -> str:
        """Words for the log."""
        return _asked("skip", self.reason)


@dataclass(frozen=True, slots=True)
class StopAsked:
    """A person wants the program to end."""

    who: str
    reason: str | None = None

    @property
    def message(self) -> str:
        """Words for the log."""
        return _asked("stop", self.reason)


@dataclass(frozen=True, slots=True)
class MarkAsked:
    """A person gives a finished run another final state."""

    who: str
    state: State
    reason: str | None = None

    @property
    def message(self) -> str:
        """Words for the log."""
        return _asked(f"mark {self.state}", self.reason)


ProgramEvent = Started | Succeeded | Failed | Broke
WITH_META: Final = (Started, Succeeded, Failed, Broke)
WITH_OUTPUT: Final = (Succeeded, Failed, Broke)
Asked = StartAsked | SkipAsked | StopAsked | MarkAsked
Event = Due | Ready | Ended | ProgramEvent | TimedOut | GraceElapsed | Missed | DeadlineMissed | Noted | Asked


def _asked(what: str, reason: str | None) -> str:
    return f"asked to {what}: {reason}" if reason else f"asked to {what}"
