"""A condition that does not change: for trying out, and to hold a job back by a template."""

from dataclasses import dataclass
from typing import Literal

from apsis.conditions.base import Base
from apsis.domain.condition import Facts, Holds, OnTimeout, Verdict, Waits


@dataclass(frozen=True, slots=True)
class Const(Base):
    """Holds, or never does."""

    value: bool
    timeout_s: float | None = None
    on_timeout: OnTimeout = "error"
    type: Literal["const"] = "const"

    def verdict(self, facts: Facts) -> Verdict:  # noqa: ARG002 - the protocol's
        """Say what it always says."""
        return Holds() if self.value else Waits("it never holds; a person may start or skip the run")

    def describe(self) -> str:
        """Say `always` or `never`."""
        return "always" if self.value else "never"
