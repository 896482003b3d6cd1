"""What an earlier server left, read row by row: one that cannot be read costs only what it is about."""

import sqlite3

from whenever import Instant

from apsis.domain.run import Run
from apsis.engine.ports import Restored
from apsis.lib.instant import from_ms, to_ms
from apsis.store.queries import SQL
from apsis.store.rows import readable, unfinished_of


def restore(connection: sqlite3.Connection, now: Instant) -> Restored:
    """Return what an engine that starts at `now` goes on from."""
    seen: set[str] = set()

    def read(row: sqlite3.Row) -> Run:
        seen.add(row["run_id"])
        return unfinished_of(row)

    # Row by row: all rows together would weigh more than the runs.
    runs = tuple(readable(connection.execute(SQL["unfinished_runs"]), _run, read))
    planned = connection.execute(SQL["planned"]).fetchall()
    settled = connection.execute(SQL["settled_runs"], {"now": to_ms(now)})
    handled = connection.execute(SQL["fact"], ("handled",))
    until = dict(readable(planned, lambda row: f"plan of job {row['job_id']}", _planned))
    unread = seen - {run.run_id for run in runs}
    return Restored(
        runs=runs,
        planned=until,
        remake=frozenset(row["job_id"] for row in planned if row["remake"] and row["job_id"] in until),
        # A plan must not make an unreadable run again either: its row has the id.
        settled=dict(readable(settled, _run, _settled)) | dict.fromkeys(unread, Instant.MAX),
        handled=next(readable(handled, lambda _: "fact 'handled'", _handled), None),
    )


def _run(row: sqlite3.Row) -> str:
    return f"run {row['run_id']}"


def _planned(row: sqlite3.Row) -> tuple[str, Instant]:
    return row["job_id"], from_ms(row["until"])


def _settled(row: sqlite3.Row) -> tuple[str, Instant]:
    return row["run_id"], from_ms(row["schedule_time"])


def _handled(row: sqlite3.Row) -> Instant:
    return from_ms(int(row["value"]))
