"""What there is, in numbers: from counters and short indexes, never by reading all runs."""

import sqlite3
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from apsis.domain.state import State
from apsis.lib.instant import format_instant, from_ms
from apsis.store.queries import SQL

COUNTED_UP_TO: Final = 10_000
"""Rows without a counter are counted up to here; beyond, the number is one more."""


def stats(connection: sqlite3.Connection, path: Path) -> Mapping[str, Any]:
    """Return the statistics of a database, as JSON; sizes are in bytes."""

    def one(name: str, *values: Any) -> sqlite3.Row:
        row: sqlite3.Row = connection.execute(SQL[name], values).fetchone()
        return row

    counts = {row["state"]: row["count"] for row in connection.execute(SQL["run_counts"])}
    by_type = {row["type"]: row for row in connection.execute(SQL["delivery_counts"])}
    oldest, files = one("oldest_run")["time"], one("file_outputs")
    (page_size,) = connection.execute("pragma page_size").fetchone()
    (free,) = connection.execute("pragma freelist_count").fetchone()
    return {
        "runs": {state.value: counts.get(state.value, 0) for state in State},
        "oldest_run": format_instant(from_ms(oldest)) if oldest is not None else None,
        "database_bytes": _size(path),
        "free_bytes": free * page_size,
        "wal_bytes": _size(path.with_name(path.name + "-wal")),
        "output_files": files["files"],
        "output_file_bytes": files["bytes"],
        "deliveries": {
            "pending": one("pending_deliveries", COUNTED_UP_TO + 1)["pending"],
            "unreadable": one("set_aside_deliveries", COUNTED_UP_TO + 1)["set_aside"],
            "delivered": {kind: row["delivered"] for kind, row in by_type.items()},
            "failed_tries": {kind: row["failed"] for kind, row in by_type.items()},
        },
        "missed": one("count_missed", COUNTED_UP_TO + 1)["spans"],
    }


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
