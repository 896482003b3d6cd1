"""A store with a past: finished runs with all that belongs to them, and ways to look at what is on disk."""

import hashlib
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

from msgspec.structs import replace

from apsis.domain.args import Args
from apsis.domain.job import Bound
from apsis.domain.program import NoOp
from apsis.domain.run import LogEntry, Output, Run
from apsis.domain.state import State
from apsis.engine.ports import SaveRun
from apsis.store.store import SqliteStore
from tests.support.jobs import EPOCH

LARGE = bytes(range(256)) * 300
HOUR = 3600


def run_id(number: int) -> str:
    return f"r{number:016}".translate(str.maketrans("0189", "abcd"))


def a_run(number: int, **fields) -> Run:
    """Make a run that is for so many hours after EPOCH, and was over a minute later."""
    time = EPOCH.add(hours=number)
    base = Run(
        run_id(number),
        "etl",
        Args({"n": str(number % 3)}),
        time,
        time,
        State.SUCCESS,
        blob="b1",
        bound=Bound(NoOp()),
        log_length=2,
        timestamps={State.SCHEDULED: time, State.SUCCESS: time.add(minutes=1)},
    )
    return replace(base, **fields)


def saved(run: Run, **rest) -> SaveRun:
    time = run.schedule_time
    entries = (LogEntry(1, time, State.SCHEDULED, "due"), LogEntry(2, time.add(minutes=1), run.state, "done", "ada"))
    return SaveRun(run, entries, new=True, **rest)


async def fill(store: SqliteStore, numbers: range, large_every: int = 4) -> None:
    """Keep runs with output, every so many of them with a large one in a file."""
    changes = []
    for number in numbers:
        data = LARGE if number % large_every == 0 else f"output {number}".encode()
        if data is LARGE:
            await store.outputs.write(run_id(number), 1, _whole(data))
        digest = hashlib.sha256(data).hexdigest()
        output = Output(len(data), digest, None if data is LARGE else data)
        changes.append(saved(a_run(number), meta={"exit_code": 0}, output=output))
    await store.commit(changes)


def runs_in(path: Path) -> list[str]:
    return [row[0] for row in query(path, "select run_id from run order by schedule_time")]


def query(path: Path, sql: str, *values) -> list[tuple]:
    with closing(sqlite3.connect(path, isolation_level=None)) as foreign:
        return foreign.execute(sql, values).fetchall()


def files_in(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.glob("*/*"))


async def _whole(data: bytes) -> AsyncIterator[bytes]:
    yield data
