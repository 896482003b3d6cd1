"""What keeps a store small and known: archive, vacuum, statistics, and whether it is held after it was restored."""

import asyncio
import sqlite3
from collections.abc import Callable, Mapping
from typing import Any

from whenever import Instant

from apsis.store.archive import archive, archive_path
from apsis.store.backup import HELD
from apsis.store.database import Database
from apsis.store.output_files import OutputFiles
from apsis.store.queries import SQL
from apsis.store.stats import stats
from apsis.store.vacuum import vacuum


class Housekeeping:
    """The part of `SqliteStore` that is about the database itself. Every method raises StoreError."""

    _database: Database
    _archiving: asyncio.Lock
    outputs: OutputFiles

    async def archive(
        self,
        before: Instant,
        *,
        path: str | None,
        limit: int | None,
        chunk_size: int,
        chunk_sleep_s: float,
        progress: Callable[[int], None],
    ) -> int:
        """Move finished runs that ended before an instant into another database; return how many were moved.

        `path` is below the state directory, None is `archive.db` there; BadRequest if it cannot be one. `limit` is the
        most that are moved, None is all. After each chunk `progress` is told how many were moved so far; what it
        raises ends the work there. Dependencies on archived runs still hold.
        """
        where = await asyncio.to_thread(archive_path, self._database.path.parent, path)
        async with self._archiving:
            return await archive(
                self._database,
                self.outputs,
                where,
                before,
                limit=limit,
                chunk_size=chunk_size,
                chunk_sleep_s=chunk_sleep_s,
                progress=progress,
            )

    async def vacuum(self) -> int:
        """Give the space of deleted rows back to the disk; return how many bytes."""
        return await vacuum(self._database)

    async def stats(self) -> Mapping[str, Any]:
        """Return what there is, in numbers, as JSON."""
        return await self._database.read(lambda connection: stats(connection, self._database.path))

    async def held_reason(self) -> str | None:
        """Return why nothing may start until a person says so: `restored`; None: nothing is held."""

        def work(connection: sqlite3.Connection) -> str | None:
            row = connection.execute(SQL["fact"], (HELD,)).fetchone()
            return row["value"] if row is not None else None

        return await self._database.read(work)

    async def clear_held(self) -> None:
        """Let go of what was held."""
        await self._database.write(lambda connection: connection.execute(SQL["delete_fact"], (HELD,)))
