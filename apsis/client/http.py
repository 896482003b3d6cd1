"""The client, as it is called by ordinary code."""

import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Self, TypeVar

import httpx

from apsis.client import address, calls
from apsis.client.errors import BadAnswer, ServerUnreachable
from apsis.client.stream import PAUSE_S, Event, Events, RunEvents, Stream
from apsis.wire.events import OutputAdded, RunChanged
from apsis.wire.health import Health
from apsis.wire.job import JobDetail, JobPage
from apsis.wire.repo import RepoPage
from apsis.wire.run import FinalStateName, Mark, NewRun, Reason, Run, RunDetail, RunLog, RunPage
from apsis.wire.server import CatchUp, PoolList, Stats

A = TypeVar("A")


class Client:
    """Asks an Apsis server.

    `server` is its address; default: the environment's APSIS_SERVER, else http://127.0.0.1:5050. `who` is the name in
    the runs' logs. Every method raises ServerUnreachable if nobody answers, and Refused if the server says no.
    """

    def __init__(
        self, server: str | None = None, *, who: str | None = None, transport: httpx.BaseTransport | None = None
    ) -> None:
        self.server = address.server_address(server)
        timeout = httpx.Timeout(address.TIMEOUT_S, connect=address.CONNECT_S)
        with self._reaching():
            settings = address.settings(self.server, who)
            self._http = httpx.Client(**settings, timeout=timeout, transport=transport)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_failure: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    # -- reading

    def health(self) -> Health:
        """Return which server this is."""
        return self._ask(calls.health())

    def jobs(
        self,
        *,
        repo: str | None = None,
        prefix: str | None = None,
        label: str | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> JobPage:
        """Return a page of jobs by id."""
        return self._ask(calls.jobs(repo, prefix, label, limit, cursor))

    def job(self, job_id: str) -> JobDetail:
        """Return a job."""
        return self._ask(calls.job(job_id))

    def runs(
        self,
        *,
        job_id: str | None = None,
        states: Iterable[str] = (),
        since: str | None = None,
        until: str | None = None,
        args: Mapping[str, str] | None = None,
        rerun_of: str | None = None,
        limit: int | None = None,
        cursor: str | None = None,
        oldest_first: bool = False,
    ) -> RunPage:
        """Return a page of runs by schedule time, perhaps a short or empty one; go on with its `next` as `cursor`."""
        return self._ask(
            calls.runs(
                job_id=job_id,
                states=states,
                since=since,
                until=until,
                args=args,
                rerun_of=rerun_of,
                limit=limit,
                cursor=cursor,
                oldest_first=oldest_first,
            )
        )

    def runs_like(self, prefix: str) -> list[Run]:
        """Return the runs whose ids begin with `prefix`, newest first, at most 20."""
        return self._ask(calls.runs_like(prefix)).runs

    def get_run(self, run_id: str) -> RunDetail:
        """Return a run."""
        return self._ask(calls.run(run_id))

    def log(self, run_id: str) -> RunLog:
        """Return a run's log."""
        return self._ask(calls.log(run_id))

    def output(self, run_id: str, attempt: int | None = None) -> bytes:
        """Return the output of an attempt, the newest by default, as far as there is any."""
        return b"".join(self.output_pieces(run_id, attempt))

    def output_pieces(self, run_id: str, attempt: int | None = None) -> Iterator[bytes]:
        """Yield the output of an attempt, the newest by default, as far as there is any, piece by piece."""
        path, query = calls.output(run_id, attempt)
        with self._reaching(), self._http.stream("GET", path, params=query) as answer:
            if answer.status_code >= 400:
                calls.read_json(answer.status_code, answer.read())
            yield from answer.iter_bytes()

    def catch_up(self) -> CatchUp:
        """Return what is due and not started, and whether it is held."""
        return self._ask(calls.catch_up())

    def pools(self) -> PoolList:
        """Return how full the pools are."""
        return self._ask(calls.pools())

    def stats(self) -> Stats:
        """Return the server in numbers."""
        return self._ask(calls.stats())

    def repos(self) -> RepoPage:
        """Return how the job repositories are followed."""
        return self._ask(calls.repos())

    # -- asking for something

    def run(
        self,
        job_id: str,
        args: Mapping[str, str] | None = None,
        *,
        schedule_time: str | None = None,
        label: str | None = None,
    ) -> Run:
        """Make an ad hoc run of a job, now or at `schedule_time`."""
        new = NewRun(job_id=job_id, args=dict(args or {}), schedule_time=schedule_time, label=label)
        return self._ask(calls.make(new))

    def run_inline(
        self,
        job: Mapping[str, Any],
        args: Mapping[str, str] | None = None,
        *,
        schedule_time: str | None = None,
        label: str | None = None,
    ) -> Run:
        """Make an ad hoc run of a job that is given by value, keys as in a job file."""
        new = NewRun(job=dict(job), args=dict(args or {}), schedule_time=schedule_time, label=label)
        return self._ask(calls.make(new))

    def start(self, run_id: str, reason: str | None = None) -> Run:
        """Start a scheduled or waiting run."""
        return self._ask(calls.operate("start", run_id, Reason(reason=reason)))

    def skip(self, run_id: str, reason: str | None = None) -> Run:
        """Skip a scheduled or waiting run."""
        return self._ask(calls.operate("skip", run_id, Reason(reason=reason)))

    def stop(self, run_id: str, reason: str | None = None) -> Run:
        """Stop a starting or running run."""
        return self._ask(calls.operate("stop", run_id, Reason(reason=reason)))

    def rerun(self, run_id: str, reason: str | None = None) -> Run:
        """Make a new run of the same instance."""
        return self._ask(calls.operate("rerun", run_id, Reason(reason=reason)))

    def mark(self, run_id: str, state: FinalStateName, reason: str | None = None) -> Run:
        """Give a finished run another final state."""
        return self._ask(calls.operate("mark", run_id, Mark(state=state, reason=reason)))

    def release(self) -> CatchUp:
        """Let go of what is held since the start."""
        return self._ask(calls.release())

    def sync(self) -> RepoPage:
        """Fetch now; returns when what was fetched is applied or rejected."""
        return self._ask(calls.sync())

    # -- following

    def events(self, *topics: str, after: str | None = None) -> Iterator[Event]:
        """Yield what happens, for ever, through reconnects; after a Reset, read again what you show."""
        return self._follow(Events(topics, after))

    def run_events(
        self, run_id: str, *, output: bool = True, offset: int = 0, timeout_s: float | None = None
    ) -> Iterator[Event]:
        """Yield a run as it is, its log and output, then what changes, until it is final; raise TimedOut."""
        return self._follow(RunEvents(run_id, time.monotonic(), output=output, offset=offset, timeout_s=timeout_s))

    def follow_output(self, run_id: str, *, offset: int = 0, timeout_s: float | None = None) -> Iterator[OutputAdded]:
        """Yield a run's output from `offset` on, as it comes, until the run is final; raise TimedOut."""
        for event in self.run_events(run_id, offset=offset, timeout_s=timeout_s):
            if isinstance(event, OutputAdded):
                yield event

    def wait(self, run_id: str, timeout_s: float | None = None) -> Run:
        """Return the run once it is final; raise TimedOut."""
        run: Run | None = None
        for event in self.run_events(run_id, output=False, timeout_s=timeout_s):
            if isinstance(event, RunChanged):
                run = event.run
        if run is None:
            raise BadAnswer(f"the stream of run {run_id} ended without the run")
        return run

    def _ask(self, call: calls.Call[A]) -> A:
        with self._reaching():
            answer = self._http.request(
                call.method, call.path, params=call.query, content=call.content, headers=call.headers
            )
        return call.read(answer.status_code, answer.content)

    def _follow(self, stream: Stream) -> Iterator[Event]:
        while not stream.over:
            try:
                yield from self._connection(stream)
            except httpx.TransportError as error:
                stream.failed(self.server, _words(error), time.monotonic())
            if stream.pauses:
                threading.Event().wait(PAUSE_S)

    def _connection(self, stream: Stream) -> Iterator[Event]:
        from httpx_sse import EventSource  # noqa: PLC0415 - few commands follow anything

        timeout = httpx.Timeout(stream.silence_s(time.monotonic()), connect=address.CONNECT_S)
        query, headers = stream.query, stream.headers
        with self._http.stream("GET", stream.path, params=query, headers=headers, timeout=timeout) as answer:
            if answer.status_code >= 400:
                calls.read_json(answer.status_code, answer.read())
            stream.connected(answer.headers.get("content-type", ""))
            for sent in EventSource(answer).iter_sse():
                event = stream.took(sent.event, sent.data, sent.id, time.monotonic())
                if event is not None:
                    yield event
                if stream.over or stream.renew(time.monotonic()):
                    return

    @contextmanager
    def _reaching(self) -> Iterator[None]:
        try:
            yield
        except (httpx.TransportError, httpx.InvalidURL) as error:
            raise ServerUnreachable(self.server, _words(error)) from error


def _words(error: Exception) -> str:
    return str(error) or type(error).__name__
