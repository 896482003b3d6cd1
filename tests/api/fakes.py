"""A server in memory behind the API's ports: enough engine to make runs, and a store that remembers them."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from msgspec.structs import replace as replace_run
from starlette.applications import Starlette
from whenever import Instant, TimeDelta

from apsis.api.app import create_app
from apsis.api.hub import Hub
from apsis.api.services import Services
from apsis.conditions.dependency import Dependency
from apsis.domain import transition
from apsis.domain.action import Action
from apsis.domain.args import Args, check_args
from apsis.domain.condition import Waits
from apsis.domain.errors import BadRequest, NotFound
from apsis.domain.events import Due, Event, MarkAsked, Ready, SkipAsked, StartAsked, Started, StopAsked, Succeeded
from apsis.domain.job import Bound, Job, Source
from apsis.domain.jobset import Difference, JobSet
from apsis.domain.missed import Missed
from apsis.domain.policy import ALWAYS, CatchUp
from apsis.domain.program import NoOp, Process
from apsis.domain.query import RunFilter, RunPage, StoredOutput
from apsis.domain.revision import Revision
from apsis.domain.run import LogEntry, Run, run_id_of
from apsis.domain.schedule import Occurrence
from apsis.domain.snapshot import RevisionVerdict
from apsis.domain.state import State
from apsis.engine.holding import Pending
from apsis.engine.ports import JobsNews, RunNews, WithdrawnNews
from apsis.engine.room import PoolState
from apsis.engine.waiting import Why
from apsis.lib.clock import SystemClock
from apsis.repo.ports import RepoState

T0 = Instant.from_utc(2026, 11, 24, 12)
REVISION = Revision("c0ffee" * 6 + "abcd", "Ada", T0, "Load the numbers")


@dataclass(frozen=True)
class FakeSchedule:
    enabled: bool = True
    args: Args = field(default_factory=Args)
    provided: frozenset[str] = frozenset()
    jitter_ms: int = 0
    catch_up: CatchUp = ALWAYS

    def between(self, start: Instant, end: Instant) -> Iterator[Occurrence]:
        return iter(())

    def describe(self) -> str:
        return "each hour"


@dataclass(frozen=True)
class FakeTemplate:
    program: Mapping[str, object] = field(default_factory=lambda: {"type": "no-op", "duration": 0})
    conditions: tuple[Mapping[str, object], ...] = ()
    schedules: tuple[Mapping[str, object], ...] = ({"type": "interval", "interval": 3600},)
    actions: tuple[Mapping[str, object], ...] = ()
    policies: Mapping[str, object] = field(default_factory=lambda: {"retry": {"count": 3}})
    metadata: Mapping[str, object] = field(default_factory=dict)

    def bind(self, job_id: str, run_id: str, args: Args, schedule_time: Instant) -> Bound:
        return Bound(NoOp())

    def bind_actions(self, job_id: str, run_id: str, args: Args, schedule_time: Instant) -> tuple[Action, ...]:
        return ()


def make_job(job_id: str = "etl/load", params: tuple[str, ...] = ("date",), **changes: Any) -> Job:
    source = Source("", REVISION.id, f"jobs/{job_id}.yaml", "b10b" * 10)
    job = Job(job_id, params, (FakeSchedule(),), FakeTemplate(), source, f"# {job_id}\n", description="Loads.")
    return replace(job, **changes)


def make_run(number: int = 1, **changes: Any) -> Run:
    run_id = run_id_of(hashlib.sha256(str(number).encode()).digest())
    at = T0 + TimeDelta(seconds=number)
    run = Run(run_id, "etl/load", Args({"date": "2026-11-24"}), at, at)
    return replace_run(run, **changes)


class FakeStore:
    def __init__(self) -> None:
        self.runs: dict[str, Run] = {}
        self.logs: dict[str, list[LogEntry]] = {}
        self.metas: dict[str, dict[str, Any]] = {}
        self.outputs: dict[tuple[str, int], tuple[StoredOutput, bytes]] = {}
        self.spans: list[Missed] = []
        self.held = True

    async def load_run(self, run_id: str) -> Run | None:
        return self.runs.get(run_id)

    async def find_runs(self, wanted: RunFilter, *, limit: int, cursor: str | None) -> RunPage:
        def key(run: Run) -> tuple[Instant, str]:
            return run.schedule_time, run.run_id

        found = sorted((r for r in self.runs.values() if _matches(r, wanted)), key=key, reverse=wanted.newest_first)
        if cursor is not None:
            if cursor not in self.runs:
                raise BadRequest(f"no cursor of ours: {cursor!r}")
            last = key(self.runs[cursor])
            found = [r for r in found if (key(r) < last if wanted.newest_first else key(r) > last)]
        more = len(found) > limit
        return RunPage(tuple(found[:limit]), found[limit - 1].run_id if more else None)

    async def near_run_ids(self, prefix: str, limit: int) -> Sequence[str]:
        return sorted((i for i in self.runs if i.startswith(prefix)), reverse=True)[:limit]

    async def run_log(self, run_id: str, after_seq: int = 0) -> Sequence[LogEntry]:
        return [entry for entry in self.logs.get(run_id, ()) if entry.seq > after_seq]

    async def run_meta(self, run_id: str) -> Mapping[str, Any]:
        return self.metas.get(run_id, {})

    async def stored_output(self, run_id: str, attempt: int) -> StoredOutput | None:
        return self.outputs[run_id, attempt][0] if (run_id, attempt) in self.outputs else None

    async def read_stored_output(self, run_id: str, attempt: int, start: int, stop: int) -> bytes:
        return self.outputs[run_id, attempt][1][start:stop]

    async def missed(self, job_id: str, limit: int) -> Sequence[Missed]:
        return [span for span in self.spans if span.job_id == job_id][:limit]

    async def stats(self) -> Mapping[str, Any]:
        return {"runs": {"success": 7}}

    async def clear_held(self) -> None:
        self.held = False


def _matches(run: Run, wanted: RunFilter) -> bool:
    return (
        (wanted.job_id is None or run.job_id == wanted.job_id)
        and (not wanted.states or run.state in wanted.states)
        and (wanted.since is None or run.schedule_time >= wanted.since)
        and (wanted.until is None or run.schedule_time < wanted.until)
        and (wanted.rerun_of is None or run.rerun_of == wanted.rerun_of)
        and all(run.args.get(name) == value for name, value in (wanted.args or {}).items())
    )


class FakeLive:
    """Programs that write what the test says, and end when it says so."""

    def __init__(self) -> None:
        self.written: dict[str, bytearray] = {}
        self.ended: set[str] = set()
        self._changed = asyncio.Condition()

    async def write(self, run_id: str, data: bytes) -> None:
        async with self._changed:
            self.written.setdefault(run_id, bytearray()).extend(data)
            self._changed.notify_all()

    async def end(self, run_id: str) -> None:
        async with self._changed:
            self.ended.add(run_id)
            self._changed.notify_all()

    async def output_length(self, run: Run) -> int:
        return len(self.written.get(run.run_id, b""))

    async def read_output(self, run: Run, start: int, stop: int) -> bytes:
        return bytes(self.written.get(run.run_id, b"")[start:stop])

    async def watch_output(self, run: Run, start: int) -> AsyncIterator[tuple[int, bytes]]:
        while True:
            async with self._changed:
                while run.run_id not in self.ended and len(self.written.get(run.run_id, b"")) <= start:
                    await self._changed.wait()
            data = bytes(self.written.get(run.run_id, b"")[start : start + 65536])
            if not data:
                return
            yield start, data
            start += len(data)


class FakeRepos:
    def __init__(self) -> None:
        self.verdict = RevisionVerdict(REVISION, "applied", T0, Difference(("etl/load",), (), ()), ())
        self.synced = 0

    def states(self) -> Sequence[RepoState]:
        return [RepoState("", "/srv/jobs.git", "git", "main", "synced", self.verdict, self.verdict, None, T0)]

    async def verdicts(self, repo: str, limit: int) -> Sequence[RevisionVerdict]:
        return [self.verdict][:limit]

    async def sync(self) -> None:
        self.synced += 1


class FakeEngine:
    """Commands that move runs by the domain's own table."""

    def __init__(self, store: FakeStore, hub: Hub) -> None:
        self.jobs: dict[str, Job] = {"etl/load": make_job()}
        self.store = store
        self.hub = hub
        self.made = 0
        self.failing: str | None = None
        self.held: str | None = None
        self.owed: list[Pending | None] = []
        self.released_by: list[str] = []

    def add(self, run: Run) -> Run:
        self.store.runs[run.run_id] = run
        self.hub.publish([RunNews(run, (), None)])
        return run

    def step(self, run_id: str, event: Event, *, who: str | None = None, meta: dict[str, Any] | None = None) -> Run:
        if run_id not in self.store.runs:
            raise NotFound("run", run_id)
        run, _ = transition.decide(self.store.runs[run_id], event, T0)
        entry = LogEntry(run.log_length, T0, run.state, event.message, who)
        self.store.runs[run_id] = run
        self.store.logs.setdefault(run_id, []).append(entry)
        if meta is not None:
            self.store.metas[run_id] = meta
        self.hub.publish([RunNews(run, (entry,), meta)])
        return run

    def begin(self, run_id: str) -> Run:
        self.step(run_id, Due(Bound(Process(("echo", "hi")))))
        self.step(run_id, Ready())
        return self.step(run_id, Started(), meta={"pid": 7})

    def finish(self, run_id: str, output: bytes | None = None) -> Run:
        if output is not None:
            attempt = self.store.runs[run_id].attempt
            kept = StoredOutput(attempt, len(output), hashlib.sha256(output).hexdigest())
            self.store.outputs[run_id, attempt] = (kept, output)
        return self.step(run_id, Succeeded(), meta={"pid": 7, "exit_code": 0})

    def withdraw(self, run_id: str) -> None:
        self.hub.publish([WithdrawnNews(self.store.runs.pop(run_id))])

    def apply(self, *added: str) -> None:
        jobs = JobSet("", REVISION, self.jobs)
        self.hub.publish([JobsNews(jobs, Difference(added, (), ()))])

    async def run_job(
        self,
        job_id: str,
        args: Mapping[str, str],
        *,
        who: str,
        schedule_time: Instant | None = None,
        label: str | None = None,
    ) -> Run:
        if job_id not in self.jobs:
            raise NotFound("job", job_id)
        check_args(job_id, self.jobs[job_id].params, args)
        self.made += 1
        at = schedule_time or T0
        run = make_run(10_000 + self.made, job_id=job_id, args=Args(args), label=label, adhoc=True, schedule_time=at)
        return self.add(run)

    async def run_inline(
        self,
        job: Mapping[str, Any],
        args: Mapping[str, str],
        *,
        who: str,
        schedule_time: Instant | None = None,
        label: str | None = None,
    ) -> Run:
        self.made += 1
        return self.add(make_run(20_000 + self.made, job_id="(inline)", args=Args(args), label=label, adhoc=True))

    async def start(self, run_id: str, *, who: str, reason: str | None = None) -> Run:
        return self.step(run_id, StartAsked(who, None, reason), who=who)

    async def skip(self, run_id: str, *, who: str, reason: str | None = None) -> Run:
        return self.step(run_id, SkipAsked(who, reason), who=who)

    async def stop(self, run_id: str, *, who: str, reason: str | None = None) -> Run:
        return self.step(run_id, StopAsked(who, reason), who=who)

    async def mark(self, run_id: str, state: State, *, who: str, reason: str | None = None) -> Run:
        return self.step(run_id, MarkAsked(who, state, reason), who=who)

    async def rerun(self, run_id: str, *, who: str, reason: str | None = None) -> Run:
        if run_id not in self.store.runs:
            raise NotFound("run", run_id)
        self.made += 1
        return self.add(make_run(30_000 + self.made, rerun_of=run_id, adhoc=True))

    def coming(self, job_id: str, limit: int) -> Sequence[Run]:
        runs = [r for r in self.store.runs.values() if r.job_id == job_id and r.state is State.SCHEDULED]
        return sorted(runs, key=lambda r: r.schedule_time)[:limit]

    def upcoming(self, job_id: str, limit: int) -> Sequence[Run]:
        return self.coming(job_id, limit)

    def why(self, run_id: str) -> Sequence[Why]:
        condition = Dependency("etl/extract")
        return [Why(condition, condition.describe(), Waits("not yet"), blocking=(make_run(77),))]

    def pending(self) -> Iterator[Pending | None]:
        return iter(self.owed)

    def pools(self) -> Sequence[PoolState]:
        return [PoolState("db", 3, 2, 1, (make_run(78, state=State.RUNNING),))]

    @property
    def sizes(self) -> Mapping[str, int]:
        return {"jobs": len(self.jobs)}

    async def release(self, *, who: str) -> None:
        self.held = None
        self.released_by.append(who)


class FakeServer:
    """The whole of it, and its application."""

    def __init__(self, *, static: Path | None = None, started_at: Instant = T0, **hub: int) -> None:
        self.hub = Hub(started_at, **hub)
        self.store = FakeStore()
        self.live = FakeLive()
        self.repos = FakeRepos()
        self.engine = FakeEngine(self.store, self.hub)
        self.app: Starlette = create_app(
            Services(
                engine=self.engine,
                store=self.store,
                live=self.live,
                repos=self.repos,
                hub=self.hub,
                clock=SystemClock(),
                version="0.1.0",
                allowed_hosts=frozenset({"apsis.example"}),
                static=static or Path("/nonexistent/static"),
            )
        )
