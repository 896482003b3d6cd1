"""P17: how late the event loop is while the engine is busy, by a ticker in the same loop."""

import asyncio
import secrets
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import Final

import uvloop

from apsis.api.hub import Hub
from apsis.domain.jobset import JobSet
from apsis.engine.engine import Engine
from apsis.lib.clock import SystemClock
from apsis.programs.internal import Internals
from apsis.programs.kinds import Kinds
from apsis.service.garbage import uncollected
from apsis.store.store import SqliteStore
from benchmarks.figure import Figure
from tests.support.jobs import every, job, job_set

RUNS: Final = 5_000
JOBS: Final = 10_000
TICK_S: Final = 0.001

Load = Callable[[Engine], Awaitable[None]]


def measure() -> list[Figure]:
    """Return the lag's 99th percentile for each load, and how far the worst tick was from it."""
    figures = []
    for work, load in LOADS.items():
        with tempfile.TemporaryDirectory() as directory, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            lags = runner.run(_under(load, Path(directory)))
        p99 = lags[int(len(lags) * 0.99)]
        figures.append(Figure("P17", f"event loop's lag, p99: {work}", p99, "ms", 20, p99 / lags[-1], "the worst"))
    return figures


async def _under(load: Load, directory: Path) -> list[float]:
    lags: list[float] = []
    _jobs()  # makes them, which is not what is measured
    async with _engine(directory) as engine:
        if load is _reload:
            await _apply(engine)
        ticker = asyncio.create_task(_tick(lags))
        await load(engine)
        ticker.cancel()
    return sorted(lags)


@asynccontextmanager
async def _engine(directory: Path) -> AsyncIterator[Engine]:
    clock = SystemClock()
    store = SqliteStore(directory / "state")
    internals = Internals(store, directory, clock)
    programs = Kinds(store.instance_id, None, store.outputs, clock, None, internals)  # type: ignore[arg-type]  # no-ops ask no agent
    engine = Engine(store, Hub(clock.now()), programs, clock, partial(secrets.token_bytes, 10))
    with uncollected():
        await engine.restore(())
    task = asyncio.create_task(engine.run())
    try:
        yield engine
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        store.close()


async def _tick(lags: list[float]) -> None:
    while True:
        start = time.perf_counter()
        await asyncio.sleep(TICK_S)
        lags.append((time.perf_counter() - start - TICK_S) * 1000)


async def _burst(engine: Engine) -> None:
    await engine.apply(job_set(job("noop", params=("n",))), ())
    # Not all at once: what asks is not what is measured.
    asks = []
    for n in range(RUNS):
        asks.append(asyncio.ensure_future(engine.run_job("noop", {"n": str(n)}, who="bench")))
        if n % 50 == 0:
            await asyncio.sleep(0)
    await asyncio.gather(*asks)
    await _until(lambda: engine.sizes["unfinished_runs"] == 0)


@cache
def _jobs() -> JobSet:
    return job_set(*(job(f"group{n % 40}/job{n}", schedules=(every(6 * 3600),)) for n in range(JOBS)))


async def _apply(engine: Engine) -> None:
    await engine.apply(_jobs(), ())
    await _until(lambda: not engine._book.stale)


async def _reload(engine: Engine) -> None:
    for n in range(20):
        one = job("group0/job0", schedules=(every(6 * 3600),), version=f"{n + 2}")
        jobs = {**_jobs().jobs, one.job_id: one}
        await engine.apply(replace(_jobs(), jobs=jobs), ())


async def _until(true: Callable[[], bool]) -> None:
    while not true():  # noqa: ASYNC110 - who waits for the engine is told nothing by it
        await asyncio.sleep(0.002)


LOADS: Final[dict[str, Load]] = {
    f"{RUNS:,} no-op runs": _burst,
    f"{JOBS:,} jobs applied, their runs made": _apply,
    f"one of {JOBS:,} jobs changed": _reload,
}
