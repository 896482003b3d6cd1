"""A limit: the run waits while too many runs of an instance are on."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from apsis.conditions.base import Base
from apsis.domain.args import Args
from apsis.domain.condition import Cap, Facts, Holds, Instance, OnTimeout, Verdict, Waits
from apsis.domain.state import State

ON: Final = frozenset({State.STARTING, State.RUNNING, State.STOPPING})
"""The states in which a run takes up room."""


@dataclass(frozen=True, slots=True)
class MaxRunning(Base):
    """Holds while fewer than `count` runs of the instance are starting, running or stopping."""

    job_id: str
    args: Mapping[str, str] = field(default_factory=dict)
    count: int = 1
    timeout_s: float | None = None
    on_timeout: OnTimeout = "error"
    type: Literal["max_running"] = "max_running"

    @property
    def instance(self) -> Instance:
        """Whose runs are counted."""
        return Instance(self.job_id, Args(self.args))

    @property
    def cap(self) -> Cap | None:
        """The limit."""
        return Cap(self.instance, self.count)

    def verdict(self, facts: Facts) -> Verdict:
        """Hold while there is room."""
        on = facts.others(self.instance, ON)
        return Holds() if on < self.count else Waits(f"{on} of at most {self.count} running of {self._name()}")

    def describe(self) -> str:
        """Say `fewer than 2 running of etl/load date=2026-11-24`."""
        return f"fewer than {self.count} running of {self._name()}"

    def _name(self) -> str:
        return " ".join((self.job_id, *(f"{name}={value}" for name, value in sorted(self.args.items()))))
