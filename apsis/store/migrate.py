"""Bringing a database to this program's schema: forward only, each step whole, and never without a backup."""

import logging
import os
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Final

from apsis.domain.errors import NotFound, StoreError
from apsis.store.copying import Progress, copy_database, open_read_only
from apsis.store.inspect import explained, inspect
from apsis.store.lock import lock_state

log = logging.getLogger(__name__)

FILE: Final = "apsis.db"
"""The database in a state directory."""

INCREMENTAL: Final = 2
"""SQLite's number of the mode in which pages can be given back a few at a time; see docs/operating.md."""


@dataclass(frozen=True, slots=True)
class Migration:
    """One step to a schema version. `about` is its first line of comment."""

    version: int
    about: str
    sql: str


def migrations() -> list[Migration]:
    """Return all steps that there are, in order."""
    files = sorted((resources.files("apsis.store") / "migrations").iterdir(), key=lambda file: file.name)
    texts = [file.read_text(encoding="utf-8") for file in files]
    return [Migration(n, text.partition("\n")[0].removeprefix("-- "), text) for n, text in enumerate(texts, 1)]


def schema_version(connection: sqlite3.Connection, path: Path) -> int:
    """Return the schema version of a database, 0 for a new one; raise StoreError if this program does not know it."""
    (version,) = connection.execute("pragma user_version").fetchone()
    known = len(migrations())
    if version > known:
        raise StoreError(
            f"{path} has schema version {version}; this Apsis knows {known}",
            help="It was written by a newer Apsis: install that one again, or restore a backup.",
        )
    return int(version)


def migrate(connection: sqlite3.Connection, path: Path, progress: Progress | None = None) -> Path | None:
    """Take the steps that are missing, each with its number in one transaction.

    A database that has something in it is copied first, to `apsis.db.before-N` for the step N; returns that path.
    """
    version = schema_version(connection, path)
    steps = migrations()[version:]
    backup = None
    if version and steps:
        backup = path.with_name(f"{path.name}.before-{version + 1}")
        log.info("migrating: %s goes from schema %d to %d; it is kept as %s", path, version, steps[-1].version, backup)
        copy_database(path, backup, progress)
    for step in steps:
        connection.executescript(f"begin;\n{step.sql}\npragma user_version = {step.version};\ncommit;")
    _make_shrinkable(connection, path)
    return backup


def upgrade(state_dir: Path, progress: Progress | None = None) -> tuple[list[Migration], Path | None]:
    """Take the steps that a stopped server's database lacks; return them, and the path of the copy before them.

    Raises InUse if a server runs, NotFound if there is no database, StoreError as `migrate` does.
    """
    path = state_dir / FILE
    missing = pending(state_dir)
    lock = lock_state(state_dir)
    try:
        with explained(path, "migrate"), closing(sqlite3.connect(path, isolation_level=None)) as connection:
            inspect(path)
            for pragma in ("journal_mode = wal", "synchronous = full"):
                connection.execute(f"pragma {pragma}")
            return missing, migrate(connection, path, progress)
    finally:
        os.close(lock)


def pending(state_dir: Path) -> list[Migration]:
    """Return the steps that a database lacks; it is only read."""
    path = state_dir / FILE
    if not path.exists():
        raise NotFound("database", str(path))
    with explained(path, "read"), closing(open_read_only(path)) as connection:
        return migrations()[schema_version(connection, path) :]


def _make_shrinkable(connection: sqlite3.Connection, path: Path) -> None:
    """Write a database anew, once, that was made before its pages could be given back."""
    (mode,) = connection.execute("pragma auto_vacuum").fetchone()
    if mode == INCREMENTAL:
        return
    try:
        connection.execute("pragma auto_vacuum = incremental")
        connection.execute("vacuum")
    except sqlite3.OperationalError as error:
        log.warning("not_shrinkable: %s cannot be written anew (%s); the next start tries again", path, error)
