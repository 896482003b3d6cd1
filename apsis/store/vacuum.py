"""Giving the space of deleted rows back to the disk, a few pages at a time, so that the engine's writer never waits."""

import sqlite3
import time
from typing import Final

from apsis.store.database import Database

PAGES: Final = 64
"""Pages that one transaction gives back at most: each may be one that is moved, and written to the log."""

WRITER_HELD_S: Final = 0.002
"""After this long a transaction ends, however many pages it has come to."""

FOLDED_IN: Final = 256
"""Pages after which the log is folded in, while the writer would do so itself at 1,000."""


async def vacuum(database: Database) -> int:
    """Give back the pages that are free now; return the bytes. The file shrinks with SQLite's next checkpoint."""
    wanted, given_back, since_folded = await database.read(_free), 0, 0
    while given_back < wanted and (pages := await database.write(_give_back)):
        given_back += pages
        since_folded += pages
        if since_folded >= FOLDED_IN:
            await database.fold_in()
            since_folded = 0
    return given_back * await database.read(_page_size)


def _give_back(connection: sqlite3.Connection) -> int:
    before = _free(connection)
    end = time.monotonic() + WRITER_HELD_S
    for _ in range(min(PAGES, before)):
        connection.execute("pragma incremental_vacuum(1)")  # sqlite3 steps a pragma once, which frees one page
        if time.monotonic() >= end:
            break
    return before - _free(connection)


def _free(connection: sqlite3.Connection) -> int:
    (pages,) = connection.execute("pragma freelist_count").fetchone()
    return int(pages)


def _page_size(connection: sqlite3.Connection) -> int:
    (size,) = connection.execute("pragma page_size").fetchone()
    return int(size)
