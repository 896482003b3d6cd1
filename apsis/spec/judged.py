"""What can be said of one job file by itself: what is wrong with it, and which other jobs it names."""

from collections.abc import Callable
from dataclasses import dataclass

from apsis.domain.finding import Severity
from apsis.domain.job import Job
from apsis.domain.policy import Pool
from apsis.lib.template import is_template
from apsis.spec.complain import Complaint
from apsis.spec.instances import ELSEWHERE
from apsis.spec.yaml import Path


@dataclass(frozen=True, slots=True)
class Found:
    """What a rule found; `within` is a word inside the value to point at."""

    complaint: Complaint
    severity: Severity = "error"
    within: str | None = None


@dataclass(frozen=True, slots=True)
class Naming:
    """A place that names a job, and the args that it gives; `what` names it: dependency, action, successor.

    `on_success`: it is an action that happens each time when a run succeeds.
    """

    path: Path
    job_id: str
    given: tuple[str, ...]
    what: str
    on_success: bool = False

    @property
    def here(self) -> bool:
        """Whether it is known before the run to be a job of the same repository."""
        return not is_template(self.job_id) and not self.job_id.startswith(ELSEWHERE)


@dataclass(frozen=True, slots=True)
class Judged:
    """What one file says, whatever the others say: the same as long as it and the settings' digest are.

    `pools` has the pools that it names, with their places.
    """

    found: tuple[Found, ...] = ()
    namings: tuple[Naming, ...] = ()
    pools: tuple[tuple[Path, Pool], ...] = ()


Judge = Callable[[Job], Judged]
