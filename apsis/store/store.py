"""SQLite behind the engine's Store, the repositories' Snapshots and the API's reading."""

import asyncio
import json
import logging
import sqlite3
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any, Final

from whenever import Instant

from apsis.domain.action import Delivery
from apsis.domain.condition import Instance
from apsis.domain.missed import Missed
from apsis.domain.query import RunFilter, RunPage, StoredOutput
from apsis.domain.run import LogEntry, Output, Run
from apsis.domain.snapshot import Applied, RevisionVerdict
from apsis.domain.state import State
from apsis.engine.ports import Change, Restored
from apsis.lib.instant import from_ms, to_ms
from apsis.store.database import Database
from apsis.store.deliveries import due_deliveries, missed_of
from apsis.store.find import find_runs
from apsis.store.housekeeping import Housekeeping
from apsis.store.output_files import OutputFiles
from apsis.store.queries import SQL
from apsis.store.restoring import restore
from apsis.store.rows import entry_of, readable, run_of
from apsis.store.standing import Standing, add_output, standings
from apsis.store.writing import revision_of, verdict_of, write, write_verdict

log = logging.getLogger(__name__)

USUAL_OF: Final = 20
"""Successful runs of a job that say how long it usually takes: few enough to follow when that changes."""

USUAL_FROM: Final = 3
"""Fewer say nothing."""


class SqliteStore(Housekeeping):
    """Keeps everything in `apsis.db` in the state directory, and large outputs in files beside it.

    Opening raises InUse if another server has the directory, BadRequest if it cannot be used, StoreError if the file
    is not ours, or of a newer version.
    """

    def __init__(self, state_dir: Path) -> None:
        self._database = Database(state_dir)
        self._archiving = asyncio.Lock()
        self.outputs = OutputFiles(state_dir / "outputs")

    @property
    def instance_id(self) -> str:
        """The random name of this database."""
        return self._database.instance_id

    def close(self) -> None:
        """Finish what is under way, and close."""
        self._database.close()

    # -- the engine's ------------------------------------------------------------------------------------------

    async def commit(self, changes: Sequence[Change]) -> None:
        """Make all the changes durable, or none."""

        await self._database.write(lambda connection: write(connection, changes))

    async def load_run(self, run_id: str) -> Run | None:
        """Return one run with what it is bound to."""

        def work(connection: sqlite3.Connection) -> Run | None:
            row = connection.execute(SQL["load_run"], (run_id,)).fetchone()
            return run_of(row) if row is not None else None

        return await self._database.read(work)

    async def finished_states(self, instances: Sequence[Instance]) -> Sequence[frozenset[State]]:
        """Return, for each instance, the final states in which it has at least one run."""

        def work(connection: sqlite3.Connection) -> Sequence[frozenset[State]]:
            return [
                frozenset(State(row["state"]) for row in connection.execute(SQL["finished_states"], values))
                for values in ({"job_id": job_id, "args": args.canonical} for job_id, args in instances)
            ]

        return await self._database.read(work)

    async def usual_duration(self, job_id: str) -> float | None:
        """Return the median of the seconds that the job's newest successful runs took; None: there are too few."""

        def work(connection: sqlite3.Connection) -> float | None:
            newest = [row["run_id"] for row in connection.execute(SQL["successes"], (job_id, USUAL_OF))]
            took = [row["ms"] for row in connection.execute(SQL["durations"], (json.dumps(newest),))]
            return median(took) / 1000 if len(took) >= USUAL_FROM else None

        return await self._database.read(work)

    async def is_new(self) -> bool:
        """Whether no engine has run on it yet."""

        def work(connection: sqlite3.Connection) -> bool:
            return connection.execute(SQL["fact"], ("handled",)).fetchone() is None

        return await self._database.read(work)

    async def restore(self, now: Instant) -> Restored:
        """Return what an earlier server left at `now`; a row that cannot be read is reported and left alone."""

        def work(connection: sqlite3.Connection) -> Restored:
            restored = restore(connection, now)
            connection.execute("pragma shrink_memory")  # nobody reads all that again
            return restored

        return await self._database.read(work)

    # -- the outbox's ------------------------------------------------------------------------------------------

    async def deliveries(self, now: Instant, limit: int) -> Sequence[Delivery]:
        """Return at most `limit` messages that are due, longest due first; one that cannot be read is set aside."""
        due, unreadable = await self._database.read(lambda connection: due_deliveries(connection, now, limit))
        if unreadable:
            await self._database.write(lambda connection: connection.executemany(SQL["set_delivery_aside"], unreadable))
        return due

    async def next_delivery_at(self, after: Instant) -> Instant | None:
        """Return when the next message becomes due after `after`; None: there is none."""

        def work(connection: sqlite3.Connection) -> Instant | None:
            at = connection.execute(SQL["next_delivery"], (to_ms(after),)).fetchone()["next_at"]
            return from_ms(at) if at is not None else None

        return await self._database.read(work)

    # -- the sweep's -------------------------------------------------------------------------------------------

    async def standings(self, run_ids: Collection[str]) -> Mapping[str, Standing]:
        """Return how the runs stand that there are."""
        return await self._database.read(lambda connection: standings(connection, run_ids))

    async def add_output(self, run_id: str, attempt: int, output: Output) -> None:
        """Keep the output of an attempt that has none."""
        await self._database.write(lambda connection: add_output(connection, run_id, attempt, output))

    # -- the API's ---------------------------------------------------------------------------------------------

    async def find_runs(self, wanted: RunFilter, *, limit: int, cursor: str | None) -> RunPage:
        """Return a page; raise BadRequest for a cursor that is not ours."""
        return await self._database.read(lambda connection: find_runs(connection, wanted, limit, cursor))

    async def near_run_ids(self, prefix: str, limit: int) -> Sequence[str]:
        """Return run ids that begin with `prefix`."""

        def work(connection: sqlite3.Connection) -> Sequence[str]:
            bounds = {"prefix": prefix, "after": prefix + "\U0010ffff", "limit": limit}
            return [row["run_id"] for row in connection.execute(SQL["near_run_ids"], bounds)]

        return await self._database.read(work)

    async def run_log(self, run_id: str, after_seq: int = 0) -> Sequence[LogEntry]:
        """Return the log entries with seq > `after_seq`, oldest first."""

        def work(connection: sqlite3.Connection) -> Sequence[LogEntry]:
            return [entry_of(row) for row in connection.execute(SQL["run_log"], (run_id, after_seq))]

        return await self._database.read(work)

    async def run_meta(self, run_id: str) -> Mapping[str, Any]:
        """Return what the program reported, {} before it did."""

        def work(connection: sqlite3.Connection) -> Mapping[str, Any]:
            row = connection.execute(SQL["run_meta"], (run_id,)).fetchone()
            meta: dict[str, Any] = json.loads(row["meta"]) if row is not None else {}
            return meta

        return await self._database.read(work)

    async def missed(self, job_id: str, limit: int) -> Sequence[Missed]:
        """Return what the job's schedules missed, newest first."""

        def work(connection: sqlite3.Connection) -> Sequence[Missed]:
            return [missed_of(row) for row in connection.execute(SQL["missed"], (job_id, limit))]

        return await self._database.read(work)

    async def stored_output(self, run_id: str, attempt: int) -> StoredOutput | None:
        """Return an attempt's output without its bytes; None: it has not ended, or had none."""

        def work(connection: sqlite3.Connection) -> StoredOutput | None:
            row = connection.execute(SQL["stored_output"], (run_id, attempt)).fetchone()
            return StoredOutput(row["attempt"], row["length"], row["sha256"]) if row is not None else None

        return await self._database.read(work)

    async def read_stored_output(self, run_id: str, attempt: int, start: int, stop: int) -> bytes:
        """Return the bytes from `start` up to `stop` of an attempt's stored output, fewer at its end."""
        if stop <= start:
            return b""

        def work(connection: sqlite3.Connection) -> sqlite3.Row | None:
            row: sqlite3.Row | None = connection.execute(
                SQL["read_output"], (start, stop - start, run_id, attempt)
            ).fetchone()
            return row

        row = await self._database.read(work)
        if row is None:
            return b""
        if row["in_file"]:
            return await self.outputs.read(run_id, attempt, start, stop)
        return bytes(row["data"])

    # -- the repositories' -------------------------------------------------------------------------------------

    async def applied(self, repo: str) -> Applied | None:
        """Return the last good snapshot of a repository."""

        def work(connection: sqlite3.Connection) -> Applied | None:
            rows = connection.execute(SQL["applied_revision"], (repo,))
            revision = next(readable(rows, _revision, revision_of), None)
            if revision is None:
                return None
            files = connection.execute(SQL["applied_files"], (repo,)).fetchall()
            return Applied(
                revision=revision,
                texts={file["path"]: file["text"] for file in files},
                blobs={file["path"]: file["blob"] for file in files},
            )

        return await self._database.read(work)

    async def save_rejected(self, repo: str, verdict: RevisionVerdict) -> None:
        """Keep a rejected revision with its findings."""
        await self._database.write(lambda connection: write_verdict(connection, repo, verdict))

    async def verdicts(self, repo: str, limit: int) -> Sequence[RevisionVerdict]:
        """Return the newest revisions that were decided, newest first."""

        def work(connection: sqlite3.Connection) -> Sequence[RevisionVerdict]:
            return list(readable(connection.execute(SQL["verdicts"], (repo, limit)), _revision, verdict_of))

        return await self._database.read(work)


def _revision(row: sqlite3.Row) -> str:
    return f"revision {row['revision']}"
