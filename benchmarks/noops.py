"""No-op runs through the whole engine, each transition and its log durable before it is shown."""

import asyncio
import secrets
import sqlite3
import tempfile
import time
from functools import partial
from pathlib import Path

from apsis.api.hub import Hub
from apsis.engine.engine import Engine
from apsis.lib.clock import SystemClock
from apsis.programs.internal import Internals
from apsis.programs.kinds import Kinds
from apsis.store.store import SqliteStore
from benchmarks.figure import Figure
from tests.support.jobs import job, job_set

RUNS = 5_000


def measure() -> list[Figure]:
    with tempfile.TemporaryDirectory() as directory:
        rate = asyncio.run(_run(Path(directory)))
        rows = _insert_rows(Path(directory))
    work = f"{RUNS:,} no-op runs, durable (FULL)"
    return [Figure("P5", work, rate, "runs/s", 2_500, rate / rows, "batched row inserts", at_least=True)]


async def _run(directory: Path) -> float:
    clock = SystemClock()
    store = SqliteStore(directory / "state")
    hub = Hub(clock.now())
    internals = Internals(store, directory, clock)
    programs = Kinds(store.instance_id, None, store.outputs, clock, None, internals)  # type: ignore[arg-type]  # no-ops ask no agent
    engine = Engine(store, hub, programs, clock, partial(secrets.token_bytes, 10))
    await engine.restore(())
    task = asyncio.create_task(engine.run())
    await engine.apply(job_set(job("noop", params=("n",))), ())
    start = time.monotonic()
    runs = await asyncio.gather(*(engine.run_job("noop", {"n": str(n)}, who="bench") for n in range(RUNS)))
    assert len(runs) == RUNS
    while len(engine._book.view):  # noqa: ASYNC110 - who waits for the engine is told nothing by it
        await asyncio.sleep(0.002)
    took = time.monotonic() - start
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    store.close()
    return RUNS / took


def _insert_rows(directory: Path) -> float:
    connection = sqlite3.connect(directory / "limit.db", isolation_level=None)
    connection.executescript(
        "pragma journal_mode = wal; pragma synchronous = full; create table t (a text, b int, c text)"
    )
    start = time.monotonic()
    for batch in range(20):
        connection.execute("begin")
        connection.executemany("insert into t values (?, ?, ?)", [("r" * 17, batch * n, "words") for n in range(1000)])
        connection.execute("commit")
    rate = 20_000 / (time.monotonic() - start)
    connection.close()
    return rate
