"""Backups of a state directory while its server runs, and putting one in its place.

A backup is a directory: `apsis.db`, and in `outputs/` the files that its rows name. The followed repositories and the
agent's own state are not in it: the first are made again, the second is of no use elsewhere.
"""

import os
import shutil
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from whenever import Instant

from apsis.domain.errors import BadRequest, NotFound, StoreError
from apsis.lib.instant import from_ms
from apsis.store.copying import (
    Progress,
    copy_database,
    open_read_only,
    require_sound,
    sync_directory,
)
from apsis.store.inspect import explained, inspect
from apsis.store.lock import copying, lock_state
from apsis.store.migrate import FILE, schema_version
from apsis.store.output_files import OutputFiles
from apsis.store.queries import SQL

OUTPUTS: Final = "outputs"
HELD: Final = "held"
"""The fact that says why the next start must wait for a person."""

RESTORED: Final = "restored"
"""Why after a restore: what the backup does not know of may have happened since."""


@dataclass(frozen=True, slots=True)
class Copied:
    """What was copied: runs, files of large outputs, their bytes with the database's, and outputs whose file is gone.

    `handled` is up to when everything due had been handled; None: nothing ever was.
    """

    path: Path
    runs: int
    output_files: int
    bytes: int
    missing: tuple[str, ...]
    handled: Instant | None
    kept: Path | None = None


def back_up(state_dir: Path, target: Path, progress: Progress) -> Copied:
    """Copy a server's database and outputs, as they are at one moment, into a new directory, which appears whole.

    Raises NotFound if there is no database, BadRequest if the target is there already, StoreError if the copy is not
    sound or cannot be made.
    """
    if not (state_dir / FILE).exists():
        raise NotFound("database", str(state_dir / FILE))
    if target.exists():
        raise BadRequest(f"{target} is there already", help="Give a name that is free; a backup overwrites nothing.")
    new = target.with_name(target.name + ".partial")
    try:
        shutil.rmtree(new, ignore_errors=True)
        new.mkdir(mode=0o700, parents=True)
        with copying(state_dir):
            copy_database(state_dir / FILE, new / FILE, progress)
            copied = _copy_outputs(new / FILE, state_dir / OUTPUTS, new / OUTPUTS, target, progress)
        require_sound(new / FILE, progress)
        sync_directory(new)
        new.replace(target)
        sync_directory(target.parent)
    except OSError as error:
        raise StoreError(
            f"the backup {target} cannot be written: {error.strerror}", help="Look at its disk."
        ) from error
    return copied


def restore(state_dir: Path, source: Path, stamp: str, progress: Progress) -> Copied:
    """Put a backup, or a database alone, in the place of what a stopped server has; that is kept beside it.

    The old files get `.replaced-STAMP`. The next start is held. Raises InUse while a server runs, NotFound if the
    source is not there, StoreError if it is not sound, not ours or of a newer version.
    """
    database = source / FILE if source.is_dir() else source
    if not database.exists():
        raise NotFound("backup", str(source))
    inspect(database.absolute())
    lock = lock_state(state_dir)
    try:
        new = state_dir / f"{FILE}.restored"
        copy_database(database, new, progress)
        _hold(new)
        require_sound(new, progress)
        new_outputs = state_dir / f"{OUTPUTS}.restored"
        shutil.rmtree(new_outputs, ignore_errors=True)
        from_outputs = source / OUTPUTS if source.is_dir() else state_dir / OUTPUTS
        copied = _copy_outputs(new, from_outputs, new_outputs if source.is_dir() else None, state_dir, progress)
        kept = _keep(state_dir / FILE, state_dir / f"{FILE}.replaced-{stamp}")
        if source.is_dir():
            if (state_dir / OUTPUTS).exists():
                (state_dir / OUTPUTS).replace(state_dir / f"{OUTPUTS}.replaced-{stamp}")
            new_outputs.replace(state_dir / OUTPUTS)
        new.replace(state_dir / FILE)
        sync_directory(state_dir)
    except OSError as error:
        raise StoreError(f"{state_dir} cannot be written: {error.strerror}", help="Look at its disk.") from error
    finally:
        os.close(lock)
    return Copied(copied.path, copied.runs, copied.output_files, copied.bytes, copied.missing, copied.handled, kept)


def _copy_outputs(database: Path, source: Path, into: Path | None, path: Path, progress: Progress) -> Copied:
    """Copy the files that a database names; with `into` None they are only looked for."""
    wanted, found = OutputFiles(source), OutputFiles(into or source)
    missing, size = [], database.stat().st_size
    with closing(open_read_only(database)) as connection, explained(database, "read"):
        rows = connection.execute(SQL["large_outputs"]).fetchall()
        (runs,) = connection.execute("select count(*) from run").fetchone()
        handled = connection.execute(SQL["fact"], ("handled",)).fetchone()
    if into is not None:
        into.mkdir(mode=0o700, exist_ok=True)
    for done, row in enumerate(rows):
        progress("copying outputs", done, len(rows))
        if into is not None:
            wanted.copy_to(found, row["run_id"], row["attempt"], link=False)
        length = found.length_now(row["run_id"], row["attempt"])
        if length != row["length"]:
            missing.append(f"{row['run_id']}.{row['attempt']}")
        size += length or 0
    at = from_ms(int(handled["value"])) if handled is not None else None
    return Copied(path, runs, len(rows) - len(missing), size, tuple(missing), at)


def _hold(path: Path) -> None:
    with explained(path, "write to"), closing(sqlite3.connect(path, isolation_level=None)) as connection:
        if not schema_version(connection, path):
            raise StoreError(f"{path} is empty", help="Give a backup that `apsis db backup` made.")
        connection.execute("pragma synchronous = full")
        connection.execute(SQL["save_fact"], (HELD, RESTORED))


def _keep(path: Path, kept: Path) -> Path | None:
    """Give the old database a second name, and let its first one be replaced without its log getting to the new one."""
    if not path.exists():
        return None
    try:
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            connection.execute("pragma wal_checkpoint(truncate)")
    except sqlite3.DatabaseError:
        pass  # it is damaged, perhaps why it is replaced: its log is kept with it as it is
    kept.hardlink_to(path)
    for suffix in ("-wal", "-shm"):
        if (log := path.with_name(path.name + suffix)).exists():
            log.replace(kept.with_name(kept.name + suffix))
    sync_directory(path.parent)
    return kept
