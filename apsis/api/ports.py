"""What the API asks of the rest of the server, as protocols; `service` hands it the real ones."""

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from typing import Any, Protocol

from whenever import Instant

from apsis.domain.job import Job
from apsis.domain.missed import Missed
from apsis.domain.query import RunFilter, RunPage, StoredOutput
from apsis.domain.run import LogEntry, Run
from apsis.domain.snapshot import RevisionVerdict
from apsis.domain.state import State
from apsis.engine.holding import Pending
from apsis.engine.room import PoolState
from apsis.engine.waiting import Why
from apsis.repo.ports import RepoState


class Engine(Protocol):
    """The commands and the view of the engine. Commands return when their effect is durable.

    Commands raise NotFound (`run`, `job`), IllegalTransition, BadArgs, BindError or BadRequest.
    """

    @property
    def jobs(self) -> Mapping[str, Job]:
        """The applied jobs of all repositories, by id."""
        ...

    @property
    def failing(self) -> str | None:
        """Why the database refuses to take what happens; None: it takes it."""
        ...

    @property
    def held(self) -> str | None:
        """Why nothing that fell due starts before `release`; None: it starts."""
        ...

    @property
    def sizes(self) -> Mapping[str, int]:
        """How much the engine has in memory, by what it is."""
        ...

    def pending(self) -> Iterator[Pending | None]:
        """Yield, job by job, how many runs it owes; None for one that owes none. Counting may take a while."""
        ...

    def pools(self) -> Sequence[PoolState]:
        """Return the pools by name: how full they are, how many wait, who is in them."""
        ...

    async def release(self, *, who: str) -> None:
        """Let go of what was held since the start."""
        ...

    async def run_job(
        self,
        job_id: str,
        args: Mapping[str, str],
        *,
        who: str,
        schedule_time: Instant | None = None,
        label: str | None = None,
    ) -> Run:
        """Make an ad hoc run of an applied job, now or at `schedule_time`."""
        ...

    async def run_inline(
        self,
        job: Mapping[str, Any],
        args: Mapping[str, str],
        *,
        who: str,
        schedule_time: Instant | None = None,
        label: str | None = None,
    ) -> Run:
        """Make an ad hoc run of a job given by value, keys as in a job file."""
        ...

    async def start(self, run_id: str, *, who: str, reason: str | None = None) -> Run:
        """Start a scheduled or waiting run."""
        ...

    async def skip(self, run_id: str, *, who: str, reason: str | None = None) -> Run:
        """Skip a scheduled or waiting run."""
        ...

    async def stop(self, run_id: str, *, who: str, reason: str | None = None) -> Run:
        """Stop a starting or running run; returns when it is stopping, not when it has ended."""
        ...

    async def mark(self, run_id: str, state: State, *, who: str, reason: str | None = None) -> Run:
        """Give a finished run another final state."""
        ...

    async def rerun(self, run_id: str, *, who: str, reason: str | None = None) -> Run:
        """Make a new run of the same instance, now."""
        ...

    def coming(self, job_id: str, limit: int) -> Sequence[Run]:
        """Return the job's next scheduled runs, soonest first."""
        ...

    def upcoming(self, job_id: str, limit: int) -> Sequence[Run]:
        """Return the job's next scheduled runs like `coming`; those beyond what is planned are computed, not made."""
        ...

    def why(self, run_id: str) -> Sequence[Why]:
        """Return all that a waiting run waits for, in the order in which it is asked; [] if it does not wait."""
        ...


class Store(Protocol):
    """Reading what is kept; each on a reader's own connection, never on the event loop."""

    async def load_run(self, run_id: str) -> Run | None:
        """Return one run."""
        ...

    async def find_runs(self, wanted: RunFilter, *, limit: int, cursor: str | None) -> RunPage:
        """Return a page; raise BadRequest for a cursor that is not ours."""
        ...

    async def near_run_ids(self, prefix: str, limit: int) -> Sequence[str]:
        """Return run ids that begin with `prefix`, for the CLI's short ids; newest first."""
        ...

    async def run_log(self, run_id: str, after_seq: int = 0) -> Sequence[LogEntry]:
        """Return the log entries with seq > `after_seq`, oldest first."""
        ...

    async def run_meta(self, run_id: str) -> Mapping[str, Any]:
        """Return what the program reported, {} before it did."""
        ...

    async def stored_output(self, run_id: str, attempt: int) -> StoredOutput | None:
        """Return an attempt's output without its bytes; None: it has not ended, or had none."""
        ...

    async def read_stored_output(self, run_id: str, attempt: int, start: int, stop: int) -> bytes:
        """Return the bytes from `start` up to `stop` of an attempt's stored output, fewer at its end."""
        ...

    async def missed(self, job_id: str, limit: int) -> Sequence[Missed]:
        """Return what the job's schedules missed, newest first."""
        ...

    async def stats(self) -> Mapping[str, Any]:
        """Return what there is, in numbers, as JSON."""
        ...

    async def clear_held(self) -> None:
        """Let the next start not be held by what this one was held by."""
        ...


class LiveOutput(Protocol):
    """The output of a program that has not ended, or whose output is not stored yet."""

    async def output_length(self, run: Run) -> int:
        """Return how many bytes there are now; 0 if there is no program."""
        ...

    async def read_output(self, run: Run, start: int, stop: int) -> bytes:
        """Return the bytes from `start` up to `stop`, fewer if there are not so many yet."""
        ...

    def watch_output(self, run: Run, start: int) -> AsyncIterator[tuple[int, bytes]]:
        """Yield (offset, bytes) from `start` on as the program writes, at most 64 KiB each; end when it has ended."""
        ...


class Repos(Protocol):
    """The followed repositories."""

    def states(self) -> Sequence[RepoState]:
        """Return the state of each."""
        ...

    async def verdicts(self, repo: str, limit: int) -> Sequence[RevisionVerdict]:
        """Return the newest revisions that were decided, newest first."""
        ...

    async def sync(self) -> None:
        """Fetch all now; returns when what was fetched is applied or rejected."""
        ...
