"""A run that is not wanted while another of its instance is under way."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from apsis.conditions.base import Base
from apsis.domain.args import Args
from apsis.domain.condition import Ends, Facts, Holds, Instance, OnTimeout, Verdict
from apsis.domain.state import State


@dataclass(frozen=True, slots=True)
class SkipDuplicate(Base):
    """Ends the run in `target_state` if another run of its instance is in one of `check_states`; never waits."""

    job_id: str
    args: Mapping[str, str] = field(default_factory=dict)
    check_states: tuple[State, ...] = (State.WAITING, State.STARTING, State.RUNNING)
    target_state: State = State.SKIPPED
    type: Literal["skip_duplicate"] = "skip_duplicate"

    @property
    def timeout_s(self) -> float | None:
        """It never waits."""
        return None

    @property
    def on_timeout(self) -> OnTimeout:
        """It never waits."""
        return "error"

    def verdict(self, facts: Facts) -> Verdict:
        """Hold if the run is alone, else end it."""
        others = facts.others(Instance(self.job_id, Args(self.args)), frozenset(self.check_states))
        if not others:
            return Holds()
        return Ends(self.target_state, f"a duplicate: {others} more of it {'is' if others == 1 else 'are'} under way")

    def describe(self) -> str:
        """Say `no other run of it waiting or starting or running`."""
        return f"no other run of it {' or '.join(self.check_states)}"
