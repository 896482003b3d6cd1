"""The SQLite file: opened, locked against a second server, migrated; one writer thread, a few readers."""

import asyncio
import os
import secrets
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Final, TypeVar

from apsis.store.inspect import explained, inspect
from apsis.store.lock import lock_state
from apsis.store.migrate import FILE, migrate

T = TypeVar("T")

CACHE_KIB: Final = 4_000
"""Of each of the five connections: what it lacks is in the system's own cache, some microseconds away."""
READERS: Final = 4
"""Threads for reading: as many slow queries may run without a fast one waiting behind them."""

BUSY_S: Final = 5.0
"""How long SQLite itself waits for a lock that some foreign program holds."""


class Database:
    """One server's database. All methods that touch the file are for threads, not for the event loop."""

    def __init__(self, state_dir: Path) -> None:
        self.path = state_dir.absolute() / FILE
        self._lock_fd = lock_state(state_dir)
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="store-writer")
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="store-reader")
        self._reading = threading.local()
        self._connections: list[sqlite3.Connection] = []
        try:
            with explained(self.path, "open"):
                inspect(self.path)
                self._writing = self._connect()
                migrate(self._writing, self.path)
                self.instance_id = _instance_id(self._writing)
        except BaseException:
            self._close_files()
            raise

    async def write(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run `work` in one transaction on the writer's thread, durable when this returns; all or nothing."""
        return await asyncio.get_running_loop().run_in_executor(self._writer, partial(self._write, work))

    async def read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run `work` on a reader's connection; what it reads is one consistent state."""
        return await asyncio.get_running_loop().run_in_executor(self._readers, partial(self._read, work))

    async def fold_in(self) -> None:
        """Bring the write-ahead log into the file as far as nobody reads it, beside the writer.

        Else a commit of the writer does so, for some 30 ms, each time 1,000 pages have changed.
        """
        await self.read(lambda connection: connection.execute("pragma wal_checkpoint(passive)").fetchone())

    def close(self) -> None:
        """Wait for what is under way, then close and let go of the lock."""
        self._writer.shutdown()
        self._readers.shutdown()
        self._close_files()

    def _write(self, work: Callable[[sqlite3.Connection], T]) -> T:
        with explained(self.path, "write to"):
            self._writing.execute("begin immediate")
            try:
                result = work(self._writing)
                self._writing.execute("commit")
            except BaseException:
                if self._writing.in_transaction:
                    self._writing.execute("rollback")
                raise
            return result

    def _read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        with explained(self.path, "read"):
            connection: sqlite3.Connection | None = getattr(self._reading, "connection", None)
            if connection is None:
                connection = self._reading.connection = self._connect(read_only=True)
            connection.execute("begin")
            try:
                return work(connection)
            finally:
                connection.execute("rollback")

    def _connect(self, *, read_only: bool = False) -> sqlite3.Connection:
        connection = sqlite3.connect(self.path, timeout=BUSY_S, isolation_level=None, check_same_thread=False)
        self._connections.append(connection)
        connection.row_factory = sqlite3.Row
        if read_only:
            connection.execute("pragma query_only = on")
        else:
            connection.execute("pragma auto_vacuum = incremental")  # only takes in a file that is still empty
            connection.execute("pragma journal_mode = wal")
            connection.execute("pragma synchronous = full")
        connection.execute(f"pragma cache_size = -{CACHE_KIB}")
        return connection

    def _close_files(self) -> None:
        for connection in self._connections:
            connection.close()
        os.close(self._lock_fd)


def _instance_id(connection: sqlite3.Connection) -> str:
    """Return the random name that the database got when it was made; process ids carry it."""
    connection.execute("insert or ignore into fact values ('instance', ?)", (secrets.token_hex(4),))
    (value,) = connection.execute("select value from fact where name = 'instance'").fetchone()
    return str(value)
