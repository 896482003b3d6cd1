"""A run: one execution of an instance, and its id."""

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from msgspec import Struct, field
from msgspec.structs import replace
from whenever import Instant

from apsis.domain.action import DeadlineKind
from apsis.domain.args import Args
from apsis.domain.condition import Instance
from apsis.domain.job import Bound, Job
from apsis.domain.state import State
from apsis.lib.instant import to_ms


class Run(Struct, frozen=True, gc=False):
    """One execution of an instance.

    `schedule_time` is what it is for; it is due then, or at `due`, if its schedule has jitter or it is tried again.
    `nominal_time` is the `schedule_time` that its templates see, which differs in a rerun. `bound` is None until it
    falls due (an ad hoc run is bound when asked for). `timestamps` are when it last entered each state. `breached`
    are the kinds of deadlines that it has missed.

    A struct and no dataclass: a run is replaced at each step of its way, which takes a hundredth of the time so.
    Nothing in a run leads back to it, so that the garbage collector need not know the ten thousands there are.
    """

    run_id: str
    job_id: str
    args: Args
    schedule_time: Instant
    nominal_time: Instant
    state: State = State.SCHEDULED
    timestamps: Mapping[State, Instant] = field(default_factory=dict)
    attempt: int = 1
    rerun_of: str | None = None
    label: str | None = None
    labels: tuple[str, ...] = ()
    adhoc: bool = False
    repo: str = ""
    revision: str | None = None
    path: str | None = None
    blob: str | None = None
    bound: Bound | None = None
    timed_out: bool = False
    message: str | None = None
    log_length: int = 0
    due: Instant | None = None
    breached: tuple[DeadlineKind, ...] = ()

    @property
    def due_at(self) -> Instant:
        """When it is to start."""
        return self.schedule_time if self.due is None else self.due

    @property
    def instance(self) -> Instance:
        """The job id and args."""
        return Instance(self.job_id, self.args)

    @property
    def expected(self) -> bool:
        """Whether it only exists because a schedule says so; a commit may withdraw it."""
        return not self.adhoc and self.state is State.SCHEDULED and self.attempt == 1

    def of_job(self, job: Job) -> "Run":
        """Return the run as the job makes it now: labels, and where it is written (None for a job given by value)."""
        source = job.source
        return replace(
            self,
            labels=job.labels,
            repo=source.repo,
            revision=source.revision or None,
            path=source.path or None,
            blob=source.blob or None,
        )


class LogEntry(Struct, frozen=True, gc=False):
    """One line of a run's log: the truth about what happened to it, when and by whom. `seq` counts from 1."""

    seq: int
    time: Instant
    state: State
    message: str
    who: str | None = None


@dataclass(frozen=True, slots=True)
class Output:
    """A finished attempt's output: `data` if it is small, else it lies in the file store under the run's id."""

    length: int
    sha256: str
    data: bytes | None


@lru_cache(maxsize=4096)
def entered(state: State, at: Instant) -> Mapping[State, Instant]:
    """Return the timestamps of a run that has been in one state; runs that were made together share them."""
    return {state: at}


def scheduled_run_id(job_id: str, args: Args, schedule_time: Instant) -> str:
    """Return the id of the one run that an instance may have for a schedule time, the same after every restart."""
    text = f"{job_id}\0{args.canonical}\0{to_ms(schedule_time)}"
    return run_id_of(hashlib.sha256(text.encode()).digest())


def share_of(run_id: str, what: str) -> float:
    """Return a number from 0 up to 1 that is the same whenever asked for: jitter must not be rolled again."""
    return int.from_bytes(hashlib.sha256(f"{run_id}\0{what}".encode()).digest()[:6], "big") / (1 << 48)


def run_id_of(noise: bytes) -> str:
    """Return `r` and 16 base32 characters of the first 10 bytes of `noise`."""
    return "r" + base64.b32encode(noise[:10]).decode().lower()
