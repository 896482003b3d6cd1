"""What can be asked of a server, described once for the sync and the async client."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final, Generic, TypeVar
from urllib.parse import quote

from apsis.client.decode import decode
from apsis.client.errors import BadAnswer, refused
from apsis.wire.health import Health
from apsis.wire.job import JobDetail, JobPage
from apsis.wire.problem import Problem
from apsis.wire.repo import RepoPage
from apsis.wire.run import Mark, NewRun, Reason, Run, RunDetail, RunLog, RunPage
from apsis.wire.server import CatchUp, PoolList, Stats

A = TypeVar("A")

BASE: Final = "/api/v1"

Query = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Call(Generic[A]):
    """One request and the message that answers it."""

    method: str
    path: str
    answer: type[A]
    query: Query = ()
    content: bytes | None = None

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers of the request."""
        return {"Content-Type": "application/json"} if self.content is not None else {}

    def read(self, status: int, content: bytes) -> A:
        """Return the answer, or raise what it says went wrong."""
        value = read_json(status, content)
        return decode(self.answer, value)


def read_json(status: int, content: bytes) -> object:
    """Return the JSON of an answer; raise Refused if it is a problem, BadAnswer if it is no JSON."""
    try:
        value = json.loads(content)
    except ValueError:
        raise BadAnswer(f"answer {status} is no JSON: is that an Apsis server?") from None
    if status >= 400:
        raise refused(decode(Problem, value))
    return value


def health() -> Call[Health]:
    """Ask whether the server is there."""
    return Call("GET", f"{BASE}/healthz", Health)


def jobs(
    repo: str | None, prefix: str | None, label: str | None, limit: int | None, cursor: str | None
) -> Call[JobPage]:
    """Ask for a page of jobs."""
    query = _query(repo=repo, prefix=prefix, label=label, limit=limit, cursor=cursor)
    return Call("GET", f"{BASE}/jobs", JobPage, query)


def job(job_id: str) -> Call[JobDetail]:
    """Ask for a job."""
    return Call("GET", f"{BASE}/jobs/{_quoted(job_id, safe='/')}", JobDetail)


def runs(
    *,
    job_id: str | None,
    states: Iterable[str],
    since: str | None,
    until: str | None,
    args: Mapping[str, str] | None,
    rerun_of: str | None,
    limit: int | None,
    cursor: str | None,
    oldest_first: bool,
) -> Call[RunPage]:
    """Ask for a page of runs."""
    query = _query(
        job_id=job_id,
        state=",".join(states) or None,
        since=since,
        until=until,
        rerun_of=rerun_of,
        limit=limit,
        cursor=cursor,
        order="asc" if oldest_first else None,
    )
    wanted = tuple((f"arg.{name}", value) for name, value in (args or {}).items())
    return Call("GET", f"{BASE}/runs", RunPage, query + wanted)


def runs_like(prefix: str) -> Call[RunPage]:
    """Ask for the runs whose ids begin with `prefix`."""
    return Call("GET", f"{BASE}/runs", RunPage, _query(prefix=prefix))


def run(run_id: str) -> Call[RunDetail]:
    """Ask for a run."""
    return Call("GET", run_path(run_id), RunDetail)


def log(run_id: str) -> Call[RunLog]:
    """Ask for a run's log."""
    return Call("GET", run_path(run_id) + "/log", RunLog)


def make(new: NewRun) -> Call[Run]:
    """Ask for an ad hoc run."""
    return Call("POST", f"{BASE}/runs", Run, content=_content(new))


def operate(operation: str, run_id: str, said: Reason | Mark) -> Call[Run]:
    """Ask for start, skip, stop, rerun or mark."""
    return Call("POST", f"{run_path(run_id)}/{operation}", Run, content=_content(said))


def catch_up() -> Call[CatchUp]:
    """Ask what is due and not started, and whether it is held."""
    return Call("GET", f"{BASE}/catch-up", CatchUp)


def release() -> Call[CatchUp]:
    """Ask to let go of what is held."""
    return Call("POST", f"{BASE}/catch-up/release", CatchUp, content=b"{}")


def pools() -> Call[PoolList]:
    """Ask how full the pools are."""
    return Call("GET", f"{BASE}/pools", PoolList)


def stats() -> Call[Stats]:
    """Ask for the server in numbers."""
    return Call("GET", f"{BASE}/stats", Stats)


def output(run_id: str, attempt: int | None) -> tuple[str, Query]:
    """Return path and query of an attempt's output, the newest's by default."""
    return run_path(run_id) + "/output", _query(attempt=attempt)


def repos() -> Call[RepoPage]:
    """Ask how the job repositories are followed."""
    return Call("GET", f"{BASE}/repo", RepoPage)


def sync() -> Call[RepoPage]:
    """Ask to fetch now."""
    return Call("POST", f"{BASE}/repo/sync", RepoPage, content=b"{}")


def run_path(run_id: str) -> str:
    """Return the path of a run."""
    return f"{BASE}/runs/{_quoted(run_id, safe='')}"


def _quoted(text: str, safe: str) -> str:
    """Return text as a part of a path; `..` must not lead out of it, and dots are nothing that `quote` knows of."""
    quoted = quote(text, safe=safe)
    return "/".join(part.replace(".", "%2E") if part in {".", ".."} else part for part in quoted.split("/"))


def _content(message: Any) -> bytes:
    return json.dumps({name: value for name, value in asdict(message).items() if value is not None}).encode()


def _query(**values: str | int | None) -> Query:
    return tuple((name, str(value)) for name, value in values.items() if value is not None)
