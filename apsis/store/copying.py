"""Copies of a database that others write to meanwhile: one state of it, read in small steps, durable and checked."""

import os
import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Final
from urllib.parse import quote

from apsis.domain.errors import StoreError
from apsis.store.inspect import explained

PAGES: Final = 256
"""Pages copied at a time, a megabyte: often enough for a word about how far it is."""

FLUSHED_AFTER: Final = 8 * PAGES
"""Pages that are written between two flushes of the copy: few enough that a commit which waits for one is soon on."""

LONGEST_PAUSE_S: Final = 0.2
"""Between two flushes, however long the last one took."""

STEPS: Final = 1_000_000
"""Steps of SQLite's machine between two words about a check: some 10 ms."""

Progress = Callable[[str, int, int], None]
"""Told what is being done, how much of it is, and of how much; 0: that is not known."""


def open_read_only(path: Path) -> sqlite3.Connection:
    """Open a database that is there, to read it beside whoever writes to it; raises StoreError if it is not there."""
    with explained(path, "open"):
        connection = sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True, isolation_level=None)
        connection.row_factory = sqlite3.Row
        connection.execute("pragma schema_version")
        return connection


def copy_database(source: Path, target: Path, progress: Progress | None = None) -> None:
    """Make `target` a copy of one state of `source`; it is there as a whole, durable, or not at all.

    The copy reads within one transaction, so writers need not wait and their writing does not make it begin anew.
    """
    new = target.with_name(target.name + ".new")
    _remove(new)
    reading = open_read_only(source)
    try:
        with explained(source, "copy"):
            reading.execute("begin")
            reading.execute("select 1 from sqlite_schema").fetchone()
            copy = sqlite3.connect(new, isolation_level=None)
            try:
                copy.execute("pragma synchronous = full")
                reading.backup(copy, pages=PAGES, progress=_Gently(new, progress))
                copy.execute("pragma journal_mode = delete")  # one file, readable from a read-only place too
                new.chmod(0o600)
            finally:
                copy.close()
    finally:
        reading.close()
    sync_file(new)
    new.replace(target)
    sync_directory(target.parent)


def check_integrity(path: Path, progress: Progress | None = None) -> list[str]:
    """Return what SQLite finds wrong with a database; an empty list: it is sound."""
    with explained(path, "check"), closing(open_read_only(path)) as connection:
        if progress is not None:
            connection.set_progress_handler(lambda: progress(f"checking {path.name}", 0, 0), STEPS)
        found = [str(row[0]) for row in connection.execute("pragma integrity_check(20)")]
    return [] if found == ["ok"] else found


def require_sound(path: Path, progress: Progress | None = None) -> None:
    """Raise StoreError if a copy is not what it should be."""
    if found := check_integrity(path, progress):
        raise StoreError(f"{path} is damaged: {found[0]}", help="Look at the disks, of the source and of the copy.")


def sync_file(path: Path) -> None:
    """Wait until a file is on disk."""
    with path.open("rb") as file:
        os.fsync(file.fileno())


def sync_directory(path: Path) -> None:
    """Wait until the names in a directory are on disk."""
    directory = os.open(path, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


class _Gently:
    """Called between two steps of a copy: tells how far it is, and leaves the disk to the server half of the time.

    What was written is flushed as we go: a gigabyte flushed at the end would hold up every commit meanwhile.
    """

    def __init__(self, path: Path, progress: Progress | None) -> None:
        self._path = path
        self._progress = progress
        self._flushed = 0
        self._since = time.monotonic()

    def __call__(self, _status: int, remaining: int, total: int) -> None:
        done = total - remaining
        if self._progress is not None:
            self._progress("copying the database", done, total)
        if done - self._flushed < FLUSHED_AFTER or not remaining:
            return
        sync_file(self._path)
        threading.Event().wait(min(time.monotonic() - self._since, LONGEST_PAUSE_S))
        self._flushed, self._since = done, time.monotonic()


def _remove(path: Path) -> None:
    for suffix in ("", "-wal", "-shm", "-journal"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
