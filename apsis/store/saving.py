"""Runs as they are written: all of a turn's by one statement a table, since starting statements is what costs."""

import json
import logging
import sqlite3
from collections.abc import Iterable, Sequence
from typing import Any, Final

from apsis.domain.run import Run
from apsis.domain.state import State
from apsis.engine.ports import SaveRun
from apsis.lib.instant import to_ms
from apsis.spec.bound import dump_bound
from apsis.store.queries import SQL
from apsis.store.rows import times_text

log = logging.getLogger(__name__)

BOUND_IN: Final = frozenset({State.SCHEDULED, State.WAITING})
"""The states that a run enters bound anew; later steps leave its binding alone."""


def save_runs(connection: sqlite3.Connection, changes: Sequence[SaveRun]) -> None:
    """Write steps of different runs, with what came along."""
    _insert(connection, [change.run for change in changes if change.new])
    gone = _update(connection, [change.run for change in changes if not change.new])
    if gone:
        changes = [change for change in changes if change.run.run_id not in gone]
    connection.executemany(
        SQL["insert_log"],
        [
            (change.run.run_id, entry.seq, to_ms(entry.time), entry.state.value, entry.message, entry.who)
            for change in changes
            for entry in change.entries
        ],
    )
    _some(
        connection,
        "save_bound",
        [(c.run.run_id, dump_bound(c.run.bound)) for c in changes if c.run.bound and _bound_anew(c)],
    )
    _some(connection, "save_meta", [(c.run.run_id, json.dumps(c.meta)) for c in changes if c.meta is not None])
    for change in changes:
        if (output := change.output) is not None:
            row = (change.run.run_id, change.output_of, output.length, output.sha256, output.data)
            connection.execute(SQL["save_output"], row)


def _insert(connection: sqlite3.Connection, runs: Sequence[Run]) -> None:
    if not runs:
        return
    (last,) = connection.execute(SQL["last_seq"]).fetchone()
    numbered = list(enumerate(runs, (last or 0) + 1))
    connection.executemany(SQL["insert_run"], [(seq, *_identity(run), *_standing(run)) for seq, run in numbered])
    args = [
        (run.job_id, name, value, to_ms(run.schedule_time), seq)
        for seq, run in numbered
        for name, value in run.args.items()
    ]
    _some(connection, "insert_arg", args)


def _update(connection: sqlite3.Connection, runs: Sequence[Run]) -> frozenset[str]:
    """Update rows; return the ids of runs that are not there any more."""
    if not runs:
        return frozenset()
    rows = [(*_standing(run), run.run_id) for run in runs]
    if connection.executemany(SQL["update_run"], rows).rowcount == len(rows):
        return frozenset()
    ids = json.dumps([run.run_id for run in runs])
    there = {row["run_id"] for row in connection.execute(SQL["which_runs"], (ids,))}
    for run in runs:
        if run.run_id not in there:
            # A person marked it while the archive took it: there is nothing left here that its log could belong to.
            log.warning("run_gone: run %s was archived; its change to %s is dropped", run.run_id, run.state)
    return frozenset(run.run_id for run in runs) - there


def _identity(run: Run) -> tuple[Any, ...]:
    """Return the columns that a run keeps."""
    return (
        run.run_id,
        run.job_id,
        run.args.canonical,
        to_ms(run.schedule_time),
        to_ms(run.nominal_time),
        run.rerun_of,
        run.label,
        int(run.adhoc),
        run.repo,
    )


def _standing(run: Run) -> tuple[Any, ...]:
    """Return the columns that change on its way."""
    return (
        run.state.value,
        run.attempt,
        json.dumps(run.labels) if run.labels else "[]",
        run.revision,
        run.path,
        run.blob,
        int(run.timed_out),
        run.message,
        run.log_length,
        to_ms(run.due) if run.due is not None else None,
        json.dumps(run.breached) if run.breached else "[]",
        times_text(run.timestamps),
    )


def _bound_anew(change: SaveRun) -> bool:
    return any(entry.state in BOUND_IN for entry in change.entries)


def _some(connection: sqlite3.Connection, statement: str, rows: Iterable[tuple[Any, ...]]) -> None:
    if rows:
        connection.executemany(SQL[statement], rows)
