"""Questions about runs, and the pages that answer them."""

from collections.abc import Mapping
from dataclasses import dataclass

from whenever import Instant

from apsis.domain.run import Run
from apsis.domain.state import State


@dataclass(frozen=True, slots=True)
class RunFilter:
    """Which runs, by schedule time; None or empty: all."""

    job_id: str | None = None
    states: frozenset[State] = frozenset()
    since: Instant | None = None
    until: Instant | None = None
    args: Mapping[str, str] | None = None
    rerun_of: str | None = None
    newest_first: bool = True


@dataclass(frozen=True, slots=True)
class RunPage:
    """Some runs and the cursor that goes on behind them; None: no more."""

    runs: tuple[Run, ...]
    next: str | None


@dataclass(frozen=True, slots=True)
class StoredOutput:
    """A finished attempt's output as it is kept; `attempt` names whose."""

    attempt: int
    length: int
    sha256: str
