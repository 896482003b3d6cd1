"""Archiving, vacuuming and backing up while the engine commits: how long a commit takes, and the event loop lags."""

import asyncio
import itertools
import shutil
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

import uvloop
from whenever import Instant

from apsis.domain.args import Args
from apsis.domain.job import Bound
from apsis.domain.program import NoOp
from apsis.domain.run import LogEntry, Run, scheduled_run_id
from apsis.domain.state import State
from apsis.engine.ports import SaveRun
from apsis.lib.instant import from_ms
from apsis.service.archiving import CHUNK
from apsis.service.archiving import PAUSE_S as CHUNK_PAUSE_S
from apsis.store.copying import copy_database
from apsis.store.store import SqliteStore
from benchmarks.figure import Figure
from benchmarks.history import NEWEST, history, kept

RUNS = 1_000_000
MOVED = 5_000
PAUSE_S = 0.005
"""Between two commits: 200 steps of the engine a second."""
IDLE_S = 5.0
LEAST_S = 0.5
"""So that there are some commits, however soon the work is done."""

LAG_PAUSE_S = 0.001


@dataclass
class Engine:
    """Commits a run, again and again, as the engine does; and looks how late the loop lets it go on."""

    store: SqliteStore
    numbers: "itertools.count[int]" = field(default_factory=itertools.count)
    commits: list[float] = field(default_factory=list)
    lags: list[float] = field(default_factory=list)

    async def during(self, work: Awaitable[object]) -> tuple[list[float], list[float]]:
        """Return the milliseconds of each commit, and of each lag, while `work` is done."""
        self.commits, self.lags = [], []
        tasks = [asyncio.ensure_future(self._commit()), asyncio.ensure_future(self._lag())]
        await asyncio.gather(work, asyncio.sleep(LEAST_S))
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        return sorted(self.commits), sorted(self.lags)

    async def _commit(self) -> None:
        while True:
            change = a_step(next(self.numbers))
            start = time.perf_counter()
            await self.store.commit([change])
            self.commits.append((time.perf_counter() - start) * 1000)
            await asyncio.sleep(PAUSE_S)

    async def _lag(self) -> None:
        while True:
            start = time.perf_counter()
            await asyncio.sleep(LAG_PAUSE_S)
            self.lags.append((time.perf_counter() - start - LAG_PAUSE_S) * 1000)


def a_step(number: int) -> SaveRun:
    """Return a run that has begun to wait, with what it is bound to."""
    at = from_ms(NEWEST + 1_000 * (number + 1))
    args = Args({"n": str(number)})
    run = Run(scheduled_run_id("bench", args, at), "bench", args, at, at, State.WAITING, bound=Bound(NoOp()))
    return SaveRun(run, (LogEntry(1, at, State.SCHEDULED, "due"), LogEntry(2, at, State.WAITING, "due")), new=True)


def measure() -> list[Figure]:
    state = kept() / "archive-work"
    shutil.rmtree(state, ignore_errors=True)
    state.mkdir()
    copy_database(history(RUNS).state / "apsis.db", state / "apsis.db")
    backup = kept() / "archive-backup"
    shutil.rmtree(backup, ignore_errors=True)
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(_measure(state, backup))
    finally:
        shutil.rmtree(state)
        shutil.rmtree(backup, ignore_errors=True)


async def _measure(state: Path, backup: Path) -> list[Figure]:
    store = SqliteStore(state)
    engine = Engine(store)
    figures: list[Figure] = []
    idle, _ = await engine.during(asyncio.sleep(IDLE_S))

    async def one(work: str, doing: Callable[[], Awaitable[object]]) -> float:
        start = time.monotonic()
        commits, lags = await engine.during(doing())
        took = time.monotonic() - start
        words = f"{work}: a commit meanwhile, p99 (p50 {_at(commits, 0.5):.1f}, most {commits[-1]:.1f} ms)"
        figures.append(Figure("P12", words, _at(commits, 0.99), "ms", 20, _at(commits, 0.99) / _at(idle, 0.99), "idle"))
        lag = _at(lags, 0.99)
        figures.append(Figure("P17", f"{work}: event-loop lag, p99", lag, "ms", 20, lags[-1], "ms at most"))
        return took

    took = await one(f"archive of {MOVED:,} from {RUNS:,} runs", lambda: _archive(store))
    rate = MOVED / took
    figures.append(Figure("P12", "archive at the policy's pace", rate, "runs/s", 100, rate / 500, "without work", True))
    await one("vacuum after it", store.vacuum)
    await one(f"backup of {RUNS:,} runs", lambda: _backup(state, backup))
    store.close()
    return figures


async def _archive(store: SqliteStore) -> None:
    moved = await store.archive(
        Instant.MAX, path=None, limit=MOVED, chunk_size=CHUNK, chunk_sleep_s=CHUNK_PAUSE_S, progress=lambda _: None
    )
    assert moved == MOVED


async def _backup(state: Path, target: Path) -> None:
    argv = [sys.executable, "-m", "apsis", "db", "backup", "--state", str(state), str(target)]
    process = await asyncio.create_subprocess_exec(*argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    assert await process.wait() == 0


def _at(ordered: list[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]
