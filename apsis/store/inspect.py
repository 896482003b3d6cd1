"""What is wrong with a database file, in words; looked for before anything is written to it."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

from apsis.domain.errors import StoreError

CHECKED_UP_TO: Final = 16 << 20
"""Bytes of a file that is read as a whole at a start: 0.15 s. Damage in a larger one shows when the place is read."""


def inspect(path: Path) -> None:
    """Raise StoreError if a file is damaged or not ours; it is only read, and its write-ahead log stays as it is."""
    if not path.exists() or path.stat().st_size == 0:
        return
    with explained(path, "open"), closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as connection:
        (version,) = connection.execute("pragma user_version").fetchone()
        (foreign,) = connection.execute("select count(*) from sqlite_schema").fetchone()
        if version == 0 and foreign:
            raise StoreError(f"cannot open {path}: it is some other program's database", help=_REMEDY["NOTADB"])
        if path.stat().st_size <= CHECKED_UP_TO:
            (found,) = connection.execute("pragma quick_check(1)").fetchone()
            if found != "ok":
                words = " ".join(str(found).split())
                raise StoreError(f"cannot open {path}: it is damaged: {words}", help=_REMEDY["CORRUPT"])


@contextmanager
def explained(path: Path, doing: str) -> Iterator[None]:
    """Turn what SQLite says of the file (locked, full, read-only, corrupt) into a StoreError; bugs pass as they are."""
    try:
        yield
    except (sqlite3.IntegrityError, sqlite3.ProgrammingError):
        raise
    except sqlite3.DatabaseError as error:
        name = getattr(error, "sqlite_errorname", "")
        raise StoreError(
            f"cannot {doing} {path}: {error}", help=_REMEDY.get(name.split("_")[1] if name else "")
        ) from error


_REMEDY: Final = {
    "FULL": "Make room on its disk.",
    "IOERR": "Look at the disk.",
    "BUSY": "Another program holds the database; end it.",
    "READONLY": "Make the file and its directory writable for this user.",
    "CANTOPEN": "Make the file and its directory readable and writable for this user.",
    "CORRUPT": "Restore a backup in its place, or move it away to begin anew; nothing was overwritten.",
    "NOTADB": "It is no Apsis database, or one that is damaged: restore a backup, or give another --state directory.",
}
