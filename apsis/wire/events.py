"""The data of Server-Sent Events; the event's name is the class's `event`."""

from typing import ClassVar

from pydantic import BaseModel

from apsis.wire.repo import Repo
from apsis.wire.run import LogEntry, Run


class Hello(BaseModel):
    """The first event of the summary stream; its id is `as_of`, where the reader stands."""

    event: ClassVar = "hello"
    version: str
    server_start: str
    as_of: str


class Ping(BaseModel):
    """A heartbeat every 5 seconds; its id is where the reader stands."""

    event: ClassVar = "ping"
    time: str


class RunChanged(BaseModel):
    """A run is new or has changed; topic `runs`."""

    event: ClassVar = "run"
    run: Run


class RunWithdrawn(BaseModel):
    """An expected run went because its job changed; topic `runs`."""

    event: ClassVar = "run-withdrawn"
    run_id: str
    job_id: str


class JobsChanged(BaseModel):
    """A revision was applied and changed these jobs (ids); topic `jobs`."""

    event: ClassVar = "jobs"
    repo: str
    revision: str
    added: list[str]
    changed: list[str]
    removed: list[str]


class SyncChanged(BaseModel):
    """The state of following a repository changed; topic `sync`."""

    event: ClassVar = "sync"
    repo: Repo


class LogAdded(BaseModel):
    """A run's log has a new entry; only in the stream of the run."""

    event: ClassVar = "log"
    entry: LogEntry


class MetaChanged(BaseModel):
    """What a run's program reports about itself has changed; only in the stream of the run."""

    event: ClassVar = "meta"
    meta: dict[str, object]


class OutputAdded(BaseModel):
    """Bytes of a run's output from `offset` on, base64; only in the stream of the run.

    `attempt` changes when output starts anew at offset 0.
    """

    event: ClassVar = "output"
    attempt: int
    offset: int
    data: str


class Coalesced(BaseModel):
    """The reader was far behind: it got the latest state of each run, without `skipped` steps on the way there."""

    event: ClassVar = "coalesced"
    skipped: int


class Reset(BaseModel):
    """The stream cannot resume where the reader left it: read the page again by REST, go on from `as_of`."""

    event: ClassVar = "reset"
    as_of: str


class Bye(BaseModel):
    """The server ends the stream: it stops, or, in the stream of a run, there will be no more."""

    event: ClassVar = "bye"
