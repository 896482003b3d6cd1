"""Old finished runs on their way into another database of the same schema: each is durable there before it goes here.

A chunk is copied by the archive's own thread, which reads one state of the server's database; then the server's writer
deletes, a few runs at a time, what has not changed since. Broken off anywhere, the next archive goes on: runs that are
in both databases are copied once more, and deleted then.
"""

import asyncio
import json
import logging
import sqlite3
import time
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final
from urllib.parse import quote

from whenever import Instant

from apsis.domain.errors import BadRequest, StoreError
from apsis.lib.clock import SystemClock
from apsis.lib.instant import to_ms
from apsis.store.database import Database
from apsis.store.inspect import explained, inspect
from apsis.store.lock import nobody_copies
from apsis.store.migrate import FILE, migrate, pending
from apsis.store.output_files import OutputFiles
from apsis.store.queries import SQL

log = logging.getLogger(__name__)

DEFAULT: Final = "archive.db"
LARGEST_CHUNK: Final = 100
"""Runs that are copied in one transaction: a reader that stays for longer keeps the write-ahead log from shrinking."""

WRITER_HELD_S: Final = 0.010
"""The engine's writer is not to wait for us longer than this: a transaction that took longer halves the next ones."""

FEWEST: Final = 4
"""Runs in a transaction at least: one fewer would save nothing, as what takes time then is the disk's flush."""

FOLDED_IN: Final = 32
"""Runs after whose deletion the log is folded in: some 300 pages, while the writer would do so itself at 1,000."""

BEGINNING: Final = (-(1 << 62), 0)
"""Where no run has been looked at yet."""

TABLES: Final = ("run", "run_log", "run_bound", "run_meta", "run_output")
"""What a run is made of, each with its id; args follow from `run`."""


@dataclass(frozen=True, slots=True)
class Copied:
    """A run that the archive has, as it was when it was copied."""

    run_id: str
    state: str
    log_length: int
    outputs: int


@dataclass(frozen=True, slots=True)
class Chunk:
    """What was copied, and where to look for more: schedule time and row; None: there is no more."""

    copied: Sequence[Copied]
    behind: tuple[int, int] | None


def archive_path(state_dir: Path, path: str | None) -> Path:
    """Return where an archive lies; raise BadRequest unless that is a database of its own in the state directory."""
    state = state_dir.resolve()
    wanted = (state / (path or DEFAULT)).resolve()
    if not wanted.is_relative_to(state) or wanted.suffix != ".db" or wanted == state / FILE:
        raise BadRequest(
            f"an archive cannot be {path}",
            help=f"Give a path in the state directory {state_dir} that ends with .db, for example {DEFAULT}.",
        )
    return wanted


def archivable(state_dir: Path, before: Instant) -> int:
    """Return how many runs an archive would move now; the database is only read, also beside a server."""
    if pending(state_dir):
        raise StoreError(
            f"the database in {state_dir} is of an older version", help="`apsis db migrate` brings it to this one."
        )
    path = state_dir / FILE
    with explained(path, "read"), closing(sqlite3.connect("file::memory:", uri=True)) as connection:
        connection.execute("attach ? as live", (_read_only(path),))
        bounds = {"time": BEGINNING[0], "seq": BEGINNING[1], "before": to_ms(before), "limit": -1}
        (count,) = connection.execute(f"select count(*) from ({SQL['archivable']})", bounds).fetchone()  # noqa: S608
    return int(count)


class Archive:
    """One archive, opened. Its methods are for one thread; large outputs lie in `NAME.db.outputs` beside it."""

    def __init__(self, database: Path, outputs: OutputFiles, path: Path) -> None:
        self._path = path
        self._live_outputs = outputs
        self._outputs = OutputFiles(path.with_name(path.name + ".outputs"))
        with explained(path, "open"):
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            inspect(path)
            self._connection = sqlite3.connect(
                f"file:{quote(str(path))}", uri=True, isolation_level=None, check_same_thread=False
            )
            try:
                self._connection.row_factory = sqlite3.Row
                for pragma in ("auto_vacuum = incremental", "journal_mode = wal", "synchronous = full"):
                    self._connection.execute(f"pragma {pragma}")
                migrate(self._connection, path)
                self._connection.execute("attach ? as live", (_read_only(database),))
            except BaseException:
                self._connection.close()
                raise

    def copy(self, before: Instant, limit: int, behind: tuple[int, int]) -> Chunk:
        """Make at most `limit` runs that ended before an instant durable here, in the order of their times."""
        execute = self._connection.execute
        with explained(self._path, "write to"):
            execute("begin immediate")
            try:
                bounds = {"time": behind[0], "seq": behind[1], "before": to_ms(before), "limit": limit}
                rows = execute(SQL["archivable"], bounds).fetchall()
                ids = json.dumps([row["run_id"] for row in rows])
                self._replace(ids)
                for row in execute(SQL["archived_files"], (ids,)):
                    self._take_file(row["run_id"], row["attempt"])
                counts = dict(execute(SQL["outputs_of"], (ids,)).fetchall())
                execute("commit")
            except BaseException:
                if self._connection.in_transaction:
                    execute("rollback")
                raise
        copied = [Copied(r["run_id"], r["state"], r["log_length"], counts.get(r["run_id"], 0)) for r in rows]
        last = rows[-1] if len(rows) == limit else None
        return Chunk(copied, (last["schedule_time"], last["seq"]) if last is not None else None)

    def close(self) -> None:
        """Close."""
        self._connection.close()

    def _replace(self, ids: str) -> None:
        """Put the runs here as they are in the server's database, whatever there was of them."""
        execute = self._connection.execute
        execute(SQL["delete_args_of"], (ids,))
        for table in TABLES:
            columns = ", ".join(self._columns(table))
            chosen = "where run_id in (select value from json_each(?))"
            execute(f"delete from main.{table} {chosen}", (ids,))  # noqa: S608 - our own words
            execute(f"insert into main.{table} ({columns}) select {columns} from live.{table} {chosen}", (ids,))  # noqa: S608
        execute(SQL["archive_args"], (ids,))
        execute(SQL["archive_versions"], (ids,))

    def _columns(self, table: str) -> list[str]:
        names = [row["name"] for row in self._connection.execute(f"pragma main.table_info({table})")]
        return [name for name in names if (table, name) != ("run", "seq")]

    def _take_file(self, run_id: str, attempt: int) -> None:
        if not self._live_outputs.copy_to(self._outputs, run_id, attempt, link=True):
            log.warning("output_missing: run %s, attempt %d is archived without its output", run_id, attempt)


async def archive(
    database: Database,
    outputs: OutputFiles,
    path: Path,
    before: Instant,
    *,
    limit: int | None,
    chunk_size: int,
    chunk_sleep_s: float,
    progress: Callable[[int], None],
) -> int:
    """Move runs that ended before an instant; return how many. What `progress` raises ends it after the chunk."""
    moved, behind, pace = 0, BEGINNING, Pace()
    most = max(1, min(chunk_size, LARGEST_CHUNK))
    await _delete_files(database, outputs)
    async with _opened(partial(Archive, database.path, outputs, path)) as (opened, work):
        while limit is None or moved < limit:
            wanted = most if limit is None else min(most, limit - moved)
            chunk = await work(partial(opened.copy, before, wanted, behind))
            moved += await _delete_runs(database, chunk.copied, pace)
            await _delete_files(database, outputs)
            if chunk.copied:
                progress(moved)
            if chunk.behind is None:
                break
            behind = chunk.behind
            await SystemClock().sleep(chunk_sleep_s)
    return moved


class Pace:
    """How many runs are deleted in one transaction: ever more, until that takes too long on this disk, just now."""

    def __init__(self) -> None:
        self.runs = FEWEST

    def took(self, seconds: float) -> None:
        """Take note of how long the last transaction took, its waiting for others included."""
        self.runs = max(FEWEST, self.runs // 2) if seconds > WRITER_HELD_S else min(self.runs + 1, LARGEST_CHUNK)


async def _delete_runs(database: Database, copied: Sequence[Copied], pace: Pace) -> int:
    """Delete what is as it was when it was copied; return how many runs that are."""
    moved = done = since_folded = 0
    while done < len(copied):
        some = copied[done : done + pace.runs]
        start = time.monotonic()
        moved += await database.write(partial(_delete_some, some))
        pace.took(time.monotonic() - start)
        done += len(some)
        since_folded += len(some)
        if since_folded >= FOLDED_IN or done == len(copied):
            await database.fold_in()
            since_folded = 0
    return moved


def _delete_some(copied: Sequence[Copied], connection: sqlite3.Connection) -> int:
    return sum(_delete_run(connection, run) for run in copied)


def _delete_run(connection: sqlite3.Connection, copied: Copied) -> bool:
    row = connection.execute(SQL["leaving_run"], (copied.run_id,)).fetchone()
    if row is None or row["pending"]:
        return False
    if (row["state"], row["log_length"], row["outputs"]) != (copied.state, copied.log_length, copied.outputs):
        return False
    connection.execute(SQL["insert_archived_instance"], (row["job_id"], row["args"], row["state"]))
    connection.execute(SQL["insert_archived_files"], (copied.run_id,))
    connection.execute(SQL["delete_args_of"], (json.dumps([copied.run_id]),))
    for table in reversed(TABLES):
        connection.execute(f"delete from {table} where run_id = ?", (copied.run_id,))  # noqa: S608 - our own words
    return True


async def _delete_files(database: Database, outputs: OutputFiles) -> None:
    """Delete the output files that only the archive names now, unless somebody is copying them."""

    def unnamed(connection: sqlite3.Connection) -> list[tuple[str, int]]:
        return [(row["run_id"], row["attempt"]) for row in connection.execute(SQL["unnamed_files"])]

    files = await database.read(unnamed)
    if not files or not await asyncio.to_thread(_unlink, database.path.parent, outputs, files):
        return
    await database.write(lambda connection: connection.executemany(SQL["forget_archived_file"], files))


def _read_only(path: Path) -> str:
    return f"file:{quote(str(path))}?mode=ro"


def _unlink(state_dir: Path, outputs: OutputFiles, files: Sequence[tuple[str, int]]) -> bool:
    with nobody_copies(state_dir) as free:
        if free:
            for run_id, attempt in files:
                outputs.delete_now(run_id, attempt)
    return free


@asynccontextmanager
async def _opened(
    opening: Callable[[], Archive],
) -> AsyncIterator[tuple[Archive, Callable[[Callable[[], Chunk]], asyncio.Future[Chunk]]]]:
    """Open an archive on a thread of its own; what is under way there when we are cancelled ends before it closes."""
    thread = ThreadPoolExecutor(1, thread_name_prefix="store-archive")
    loop = asyncio.get_running_loop()
    try:
        opened = await loop.run_in_executor(thread, opening)
        try:
            yield opened, partial(loop.run_in_executor, thread)
        finally:
            await loop.run_in_executor(thread, opened.close)
    finally:
        thread.shutdown(wait=False)
