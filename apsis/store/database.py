"""The SQLite file: opened, locked against a second server, migrated; one writer thread, a few readers."""

import asyncio
import errno
import fcntl
import os
import secrets
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from importlib import resources
from pathlib import Path
from typing import Final, TypeVar

from apsis.domain.errors import ApsisError, BadRequest, InUse, StoreError
from apsis.store.inspect import explained, inspect

T = TypeVar("T")

READERS: Final = 4
"""Threads for reading: as many slow queries may run without a fast one waiting behind them."""

BUSY_S: Final = 5.0
"""How long SQLite itself waits for a lock that some foreign program holds."""

FILE: Final = "apsis.db"


class Database:
    """One server's database. All methods that touch the file are for threads, not for the event loop."""

    def __init__(self, state_dir: Path) -> None:
        self.path = state_dir / FILE
        self._lock_fd = _lock(state_dir)
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="store-writer")
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="store-reader")
        self._reading = threading.local()
        self._connections: list[sqlite3.Connection] = []
        try:
            with explained(self.path, "open"):
                inspect(self.path)
                self._writing = self._connect()
                _migrate(self._writing, self.path)
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
            connection.execute("pragma journal_mode = wal")
            connection.execute("pragma synchronous = full")
        connection.execute("pragma cache_size = -20000")
        return connection

    def _close_files(self) -> None:
        for connection in self._connections:
            connection.close()
        os.close(self._lock_fd)


def _lock(state_dir: Path) -> int:
    """Hold the state directory for this process; the kernel lets go of it whenever and however it ends."""
    try:
        state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        fd = os.open(state_dir / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise _unusable(state_dir, error) from error
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        holder = os.pread(fd, 32, 0).decode(errors="replace").strip() or "unknown"
        os.close(fd)
        raise InUse(
            f"the state directory {state_dir} is in use by another Apsis server, process {holder}",
            help="Stop that server, or give this one its own --state directory.",
        ) from None
    try:
        os.ftruncate(fd, 0)
        os.pwrite(fd, f"{os.getpid()}\n".encode(), 0)
    except OSError as error:
        os.close(fd)
        raise _unusable(state_dir, error) from error
    return fd


def _unusable(state_dir: Path, error: OSError) -> ApsisError:
    words = f"cannot use the state directory {state_dir}: {error.strerror}"
    if error.errno == errno.ENOSPC:
        return StoreError(words, help="Make room on its disk.")
    return BadRequest(words, help="Give --state a directory that this user may write to.")


def _migrate(connection: sqlite3.Connection, path: Path) -> None:
    """Bring the schema to this program's version; each step and its number in one transaction."""
    steps = sorted((resources.files("apsis.store") / "migrations").iterdir(), key=lambda file: file.name)
    (version,) = connection.execute("pragma user_version").fetchone()
    if version > len(steps):
        raise StoreError(
            f"{path} has schema version {version}; this Apsis knows {len(steps)}",
            help="It was written by a newer Apsis: install that one again, or restore a backup.",
        )
    for number, step in enumerate(steps[version:], version + 1):
        connection.executescript(f"begin;\n{step.read_text()}\npragma user_version = {number};\ncommit;")


def _instance_id(connection: sqlite3.Connection) -> str:
    """Return the random name that the database got when it was made; process ids carry it."""
    connection.execute("insert or ignore into fact values ('instance', ?)", (secrets.token_hex(4),))
    (value,) = connection.execute("select value from fact where name = 'instance'").fetchone()
    return str(value)
