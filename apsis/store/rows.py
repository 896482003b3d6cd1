"""Between a run and its row."""

import json
import sqlite3
from collections.abc import Iterable, Mapping
from typing import Any

from apsis.domain.args import Args
from apsis.domain.run import LogEntry, Run
from apsis.domain.state import State
from apsis.lib.instant import from_ms, to_ms
from apsis.spec.bound import load_bound


def run_values(run: Run) -> dict[str, Any]:
    """Return the columns of a run."""
    return {
        "run_id": run.run_id,
        "job_id": run.job_id,
        "args": run.args.canonical,
        "state": run.state.value,
        "schedule_time": to_ms(run.schedule_time),
        "nominal_time": to_ms(run.nominal_time),
        "attempt": run.attempt,
        "rerun_of": run.rerun_of,
        "label": run.label,
        "labels": json.dumps(run.labels),
        "adhoc": int(run.adhoc),
        "repo": run.repo,
        "revision": run.revision,
        "path": run.path,
        "blob": run.blob,
        "timed_out": int(run.timed_out),
        "message": run.message,
        "log_length": run.log_length,
        "due": to_ms(run.due) if run.due is not None else None,
        "breached": json.dumps(run.breached),
    }


def run_of(row: sqlite3.Row, times: Mapping[State, Any]) -> Run:
    """Return the run of a row; `bound` only if the row has it. Raises ValueError or KeyError for a broken row."""
    bound = row["bound"] if "bound" in row.keys() else None  # noqa: SIM118 - a Row is no mapping
    return Run(
        run_id=row["run_id"],
        job_id=row["job_id"],
        args=Args(json.loads(row["args"])),
        schedule_time=from_ms(row["schedule_time"]),
        nominal_time=from_ms(row["nominal_time"]),
        state=State(row["state"]),
        timestamps=times,
        attempt=row["attempt"],
        rerun_of=row["rerun_of"],
        label=row["label"],
        labels=tuple(json.loads(row["labels"])),
        adhoc=bool(row["adhoc"]),
        repo=row["repo"],
        revision=row["revision"],
        path=row["path"],
        blob=row["blob"],
        bound=load_bound(bound) if bound is not None else None,
        timed_out=bool(row["timed_out"]),
        message=row["message"],
        log_length=row["log_length"],
        due=from_ms(row["due"]) if row["due"] is not None else None,
        breached=tuple(json.loads(row["breached"])),
    )


def unfinished_of(row: sqlite3.Row, times: Mapping[State, Any]) -> Run:
    """Return the run of a row that the engine is to go on with; ValueError if that cannot be."""
    run = run_of(row, times)
    if run.bound is None and run.state is not State.SCHEDULED:
        raise ValueError(f"{run.state}, but nothing says what its program is")
    return run


def times_of(rows: Iterable[sqlite3.Row]) -> dict[str, dict[State, Any]]:
    """Return when each run last entered each state, from rows of run_id, state and time."""
    times: dict[str, dict[State, Any]] = {}
    for run_id, state, time in rows:
        times.setdefault(run_id, {})[State(state)] = from_ms(time)
    return times


def entry_of(row: sqlite3.Row) -> LogEntry:
    """Return the log entry of a row."""
    return LogEntry(row["seq"], from_ms(row["time"]), State(row["state"]), row["message"], row["who"])
