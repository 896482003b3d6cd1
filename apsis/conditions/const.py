"""A condition that does not change: for trying out, and to hold a job back by a template."""

from dataclasses import dataclass
from typing import Literal

from apsis.domain.condition import Cap, Facts, Holds, OnTimeout, Polling, Read, Verdict, Waits


@dataclass(frozen=True, slots=True)
class Const:
    """Holds, or never does."""

    value: bool
    timeout_s: float | None = None
    on_timeout: OnTimeout = "error"
    type: Literal["const"] = "const"

    @property
    def reads(self) -> tuple[Read, ...]:
        """Nothing."""
        return ()

    @property
    def cap(self) -> Cap | None:
        """It is no limit."""
        return None

    @property
    def polling(self) -> Polling | None:
        """It asks nobody outside."""
        return None

    def verdict(self, facts: Facts) -> Verdict:  # noqa: ARG002 - the protocol's
        """Say what it always says."""
        return Holds() if self.value else Waits("it never holds; a person may start or skip the run")

    def describe(self) -> str:
        """Say `always` or `never`."""
        return "always" if self.value else "never"
