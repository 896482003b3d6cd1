"""The engine's changes as SQL, inside one transaction."""

import json
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from itertools import groupby
from typing import Any, Final

from apsis.domain.finding import Finding
from apsis.domain.jobset import Difference, JobSet
from apsis.domain.revision import Revision
from apsis.domain.snapshot import RevisionVerdict
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
from apsis.store.deliveries import save_delivery, save_missed, settle_delivery
from apsis.store.queries import SQL
from apsis.store.saving import save_runs


def write(connection: sqlite3.Connection, changes: Sequence[Change]) -> None:
    """Write changes in their order; runs that follow each other together."""
    for kind, alike in groupby(changes, type):
        if kind is SaveRun:
            save_runs(connection, list(alike))  # type: ignore[arg-type]  # they are, by the grouping
        else:
            for change in alike:
                WRITE[kind](connection, change)


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
    WithdrawRun: _withdraw_run,
    SavePlanned: _save_planned,
    SaveHandled: _save_handled,
    SaveApplied: _save_applied,
    SaveDelivery: save_delivery,
    SettleDelivery: settle_delivery,
    SaveMissed: save_missed,
}
