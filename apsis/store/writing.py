"""The engine's changes as SQL, inside one transaction."""

import json
import logging
import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any, Final

from apsis.domain.finding import Finding
from apsis.domain.jobset import Difference, JobSet
from apsis.domain.revision import Revision
from apsis.domain.snapshot import RevisionVerdict
from apsis.domain.state import State
from apsis.engine.ports import (
    Change,
    SaveApplied,
    SaveDelivery,
    SaveHandled,
    SaveMissed,
    SavePlanned,
    SaveRun,
    SettleDelivery,
    WithdrawRun,
)
from apsis.lib.instant import from_ms, to_ms
from apsis.spec.bound import dump_bound
from apsis.store.deliveries import save_delivery, save_missed, settle_delivery
from apsis.store.queries import SQL
from apsis.store.rows import run_values

log = logging.getLogger(__name__)

BOUND_IN: Final = frozenset({State.SCHEDULED, State.WAITING})
"""The states that a run enters bound anew; later steps leave its binding alone."""


def write(connection: sqlite3.Connection, change: Change) -> None:
    """Write one change."""
    WRITE[type(change)](connection, change)


def _save_run(connection: sqlite3.Connection, change: SaveRun) -> None:
    run = change.run
    done = connection.execute(SQL["insert_run" if change.new else "update_run"], run_values(run))
    if done.rowcount == 0:
        # A person marked it while the archive took it: there is nothing left here that its log could belong to.
        log.warning("run_gone: run %s was archived; its change to %s is dropped", run.run_id, run.state)
        return
    if change.new:
        seq = done.lastrowid
        time = to_ms(run.schedule_time)
        connection.executemany(SQL["insert_arg"], [(run.job_id, n, v, time, seq) for n, v in run.args.items()])
    entries = [(run.run_id, e.seq, to_ms(e.time), e.state.value, e.message, e.who) for e in change.entries]
    connection.executemany(SQL["insert_log"], entries)
    if run.bound is not None and any(entry.state in BOUND_IN for entry in change.entries):
        connection.execute(SQL["save_bound"], (run.run_id, dump_bound(run.bound)))
    if change.meta is not None:
        connection.execute(SQL["save_meta"], (run.run_id, json.dumps(change.meta)))
    if (output := change.output) is not None:
        row = (run.run_id, change.output_of, output.length, output.sha256, output.data)
        connection.execute(SQL["save_output"], row)


def _withdraw_run(connection: sqlite3.Connection, change: WithdrawRun) -> None:
    run = change.run
    row = connection.execute(SQL["run_seq"], (run.run_id,)).fetchone()
    if row is None:
        return
    time = to_ms(run.schedule_time)
    connection.executemany(SQL["delete_arg"], [(run.job_id, n, v, time, row["seq"]) for n, v in run.args.items()])
    connection.execute(SQL["delete_log"], (run.run_id,))
    connection.execute(SQL["delete_run"], (run.run_id,))


def _save_planned(connection: sqlite3.Connection, change: SavePlanned) -> None:
    if change.until is None:
        connection.execute(SQL["delete_planned"], (change.job_id,))
    else:
        connection.execute(SQL["save_planned"], (change.job_id, to_ms(change.until), int(change.remake)))


def _save_handled(connection: sqlite3.Connection, change: SaveHandled) -> None:
    connection.execute(SQL["save_fact"], ("handled", str(to_ms(change.at))))


def _save_applied(connection: sqlite3.Connection, change: SaveApplied) -> None:
    jobs = change.jobs
    write_verdict(
        connection, jobs.repo, RevisionVerdict(jobs.revision, "applied", change.at, change.difference, change.findings)
    )
    _write_files(connection, jobs)


def _write_files(connection: sqlite3.Connection, jobs: JobSet) -> None:
    """Bring the list of applied files to this snapshot; touches only what differs."""
    old = {row["path"]: row["blob"] for row in connection.execute(SQL["applied_paths"], (jobs.repo,))}
    new = {path: file.blob for path, file in jobs.files.items()}
    gone = [(jobs.repo, path) for path, blob in old.items() if new.get(path) != blob]
    come = [path for path, blob in new.items() if old.get(path) != blob]
    connection.executemany(SQL["delete_applied_path"], gone)
    connection.executemany(SQL["insert_applied"], [(jobs.repo, path, new[path]) for path in come])
    connection.executemany(SQL["insert_version"], [(new[path], jobs.files[path].text) for path in come])


def write_verdict(connection: sqlite3.Connection, repo: str, verdict: RevisionVerdict) -> None:
    """Write what was decided about a revision."""
    revision = verdict.revision
    connection.execute(
        SQL["insert_revision"],
        (
            repo,
            revision.id,
            revision.author,
            to_ms(revision.time),
            revision.message,
            verdict.verdict,
            to_ms(verdict.at),
            json.dumps(asdict(verdict.difference)),
            json.dumps([asdict(finding) for finding in verdict.findings]),
        ),
    )


def verdict_of(row: sqlite3.Row) -> RevisionVerdict:
    """Return what was decided about a revision, from its row."""
    from_difference: dict[str, list[str]] = json.loads(row["difference"])
    return RevisionVerdict(
        revision=revision_of(row),
        verdict=row["verdict"],
        at=from_ms(row["decided_at"]),
        difference=Difference(**{name: tuple(ids) for name, ids in from_difference.items()}),
        findings=tuple(Finding(**finding) for finding in json.loads(row["findings"])),
    )


def revision_of(row: sqlite3.Row) -> Revision:
    """Return the revision of a row."""
    return Revision(row["revision"], row["author"], from_ms(row["time"]), row["message"])


WRITE: Final[Mapping[type[Change], Callable[[sqlite3.Connection, Any], None]]] = {
    SaveRun: _save_run,
    WithdrawRun: _withdraw_run,
    SavePlanned: _save_planned,
    SaveHandled: _save_handled,
    SaveApplied: _save_applied,
    SaveDelivery: save_delivery,
    SettleDelivery: settle_delivery,
    SaveMissed: save_missed,
}
