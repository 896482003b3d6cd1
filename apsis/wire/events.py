"""The data of Server-Sent Events; the event's name is the class's `event`."""

from typing import ClassVar

from apsis.wire.message import message
from apsis.wire.repo import Repo
from apsis.wire.run import LogEntry, Run


@message
class Hello:
    """The first event of the summary stream; its id is `as_of`, where the reader stands."""

    event: ClassVar[str] = "hello"
    version: str
    server_start: str
    as_of: str


@message
class Ping:
    """A heartbeat every 5 seconds; its id is where the reader stands."""

    event: ClassVar[str] = "ping"
    time: str


@message
class RunChanged:
    """A run is new or has changed; topic `runs`."""

    event: ClassVar[str] = "run"
    run: Run


@message
class RunWithdrawn:
    """An expected run went because its job changed; topic `runs`."""

    event: ClassVar[str] = "run-withdrawn"
    run_id: str
    job_id: str


@message
class JobsChanged:
    """A revision was applied and changed these jobs (ids); topic `jobs`."""

    event: ClassVar[str] = "jobs"
    repo: str
    revision: str
    added: list[str]
    changed: list[str]
    removed: list[str]


@message
class SyncChanged:
    """The state of following a repository changed; topic `sync`."""

    event: ClassVar[str] = "sync"
    repo: Repo


@message
class LogAdded:
    """A run's log has a new entry; only in the stream of the run."""

    event: ClassVar[str] = "log"
    entry: LogEntry


@message
class MetaChanged:
    """What a run's program reports about itself has changed; only in the stream of the run."""

    event: ClassVar[str] = "meta"
    meta: dict[str, object]


@message
class OutputAdded:
    """Bytes of a run's output from `offset` on, base64; only in the stream of the run.

    `attempt` changes when output starts anew at offset 0.
    """

    event: ClassVar[str] = "output"
    attempt: int
    offset: int
    data: str


@message
class Coalesced:
    """The reader was far behind: it got the latest state of each run, without `skipped` steps on the way there."""

    event: ClassVar[str] = "coalesced"
    skipped: int


@message
class Reset:
    """The stream cannot resume where the reader left it: read the page again by REST, go on from `as_of`."""

    event: ClassVar[str] = "reset"
    as_of: str


@message
class Bye:
    """The server ends the stream: it stops, or, in the stream of a run, there will be no more."""

    event: ClassVar[str] = "bye"
